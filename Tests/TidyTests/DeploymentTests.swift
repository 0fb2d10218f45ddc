import Testing

@Suite("What operators are told")
struct DeploymentTests {
    @Test("Every setting of the roles and every variable of the compose files is in .env.example")
    func settings() throws {
        let example = try SourceTree.file(".env.example").lines
            .compactMap { $0.firstMatch(of: /^#?([A-Za-z_]+)=/).map { String($0.1) } }
        let settings = try SourceTree.files(in: "Sources/Common/Service", extensions: ["swift"])
            .filter { $0.name.hasPrefix("Setting") }
        try report(settings, /^ +"((?:ARGUS|TELEGRAM|DOCKER)_[A-Z_]+)"/, unlessIn: example)
        let compose = try ["compose.yaml", "compose/stack.yaml", "compose/socket-proxy.yaml"].map(SourceTree.file)
        try report(compose, /\$\{([A-Za-z_]+)/, unlessIn: example)
    }

    private func report(
        _ files: [SourceFile], _ pattern: Regex<(Substring, Substring)>, unlessIn known: [String]
    ) throws {
        var found = 0
        for file in files {
            for (index, line) in file.lines.enumerated() {
                for match in line.matches(of: pattern) {
                    found += 1
                    if known.contains(String(match.1)) { continue }
                    Tidy.report(
                        Violation(
                            file, line: index + 1, "\(match.1)", why: "nobody finds it who reads .env.example"))
                }
            }
        }
        #expect(found > 0)
    }
}
