import Testing

/// Which module may import which: Core and the shims at the bottom, roles on top and never importing each other.
@Suite("The direction of imports")
struct DirectionTests {
    private static let allowed: [String: Set<String>] = [
        "Common/Core": ["COpenSSL"],
        "Common/Redis": ["ArgusCore", "CHiredis", "COpenSSL"],
        "Common/HTTPClient": ["ArgusCore", "CCurl"],
        "Common/Queue": ["ArgusCore", "ArgusRedis"],
        "Common/AppServer": ["ArgusCore"],
        "Common/Service": ["ArgusCore", "ArgusRedis", "CProcess"],
        "Ingress": ["ArgusCore", "ArgusRedis", "ArgusQueue", "ArgusAppServer", "ArgusHTTPClient", "ArgusService"],
        "Worker": ["ArgusCore", "ArgusRedis", "ArgusQueue", "ArgusAppServer", "ArgusService", "CProcess"],
        "Scheduler": ["ArgusCore", "ArgusRedis", "ArgusQueue", "ArgusService"],
        "RuntimeHost": ["ArgusCore", "ArgusAppServer", "ArgusService", "CProcess"],
        "DemoRuntime": ["ArgusCore", "ArgusAppServer"],
        "Local": ["ArgusCore", "ArgusRedis", "ArgusService", "CProcess"],
        "Chat": ["ArgusCore", "ArgusService", "ArgusAppServer"],
        "Argus": [
            "ArgusIngress", "ArgusWorker", "ArgusScheduler", "ArgusRuntimeHost", "ArgusDemoRuntime", "ArgusLocal",
            "ArgusChat", "ArgusQueue", "ArgusRedis", "ArgusService", "ArgusCore",
        ],
    ]

    @Test("Every module imports only what lies below it")
    func imports() throws {
        for file in try SourceTree.files(in: "Sources", extensions: ["swift"]) {
            let module = Self.module(of: file)
            for (index, line) in file.code.enumerated() {
                guard let imported = Self.imported(line), Self.isOurs(imported) else { continue }
                guard let allowed = Self.allowed[module] else {
                    Tidy.report(
                        Violation(file, line: index + 1, "unknown module \(module)", why: "add it to DirectionTests"))
                    continue
                }
                if !allowed.contains(imported) {
                    Tidy.report(
                        Violation(
                            file, line: index + 1, "\(module) imports \(imported)",
                            why: "it may use \(allowed.sorted().joined(separator: ", ")) (docs/architecture.md)"))
                }
            }
        }
    }

    private static func module(of file: SourceFile) -> String {
        let parts = file.path.split(separator: "/").dropFirst()
        return parts.prefix(parts.first == "Common" ? 2 : 1).joined(separator: "/")
    }

    private static func imported(_ line: String) -> String? {
        let words = line.split(separator: " ")
        guard let index = words.firstIndex(of: "import"), index + 1 < words.count,
            words[..<index].allSatisfy({
                $0.hasPrefix("@") || ["package", "internal", "private", "public"].contains($0)
            })
        else { return nil }
        return String(words[index + 1])
    }

    private static func isOurs(_ module: String) -> Bool {
        module.hasPrefix("Argus") && module != "ArgumentParser"
            || ["CHiredis", "CCurl", "COpenSSL", "CProcess"].contains(module)
    }
}

enum Tidy {
    static func report(_ violation: Violation) {
        Issue.record("\(violation.description)")
    }
}
