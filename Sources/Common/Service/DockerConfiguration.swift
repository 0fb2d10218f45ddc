import ArgusCore

/// Session containers: where, from what, and how much each may use.
package struct DockerConfiguration: Sendable, Equatable {
    package enum Engine: Sendable, Equatable {
        case socket(String)
        case address(host: String, port: Int)
    }

    /// What may be used by one container; nil: no limit. Applied to new containers only.
    package struct Limits: Sendable, Equatable {
        package var cpus: Double?
        package var memoryBytes: Int?
        /// Memory and swap together.
        package var memorySwapBytes: Int?
        package var pids: Int?

        package init(cpus: Double? = nil, memoryBytes: Int? = nil, memorySwapBytes: Int? = nil, pids: Int? = nil) {
            self.cpus = cpus
            self.memoryBytes = memoryBytes
            self.memorySwapBytes = memorySwapBytes
            self.pids = pids
        }
    }

    package enum Homes: String, Sendable { case shared, `private` }
    package enum Orphans: String, Sendable { case off, dryRun = "dry-run", delete }

    package var engine: Engine
    package var prefix: String
    package var network: String
    package var image: String
    package var limits: Limits
    package var homes: Homes
    package var orphans: Orphans
    /// Variables handed on to containers, with the values this process has.
    package var environment: [String: String]
    /// Those that were named and that this process has not, not even empty.
    package var missingVariables: [String]

    package init(
        engine: Engine, prefix: String = "argus-session", network: String = "argus-net",
        image: String = "argus-runtime",
        limits: Limits = Limits(), homes: Homes = .shared, orphans: Orphans = .dryRun,
        environment: [String: String] = [:], missingVariables: [String] = []
    ) {
        self.engine = engine
        self.prefix = prefix
        self.network = network
        self.image = image
        self.limits = limits
        self.homes = homes
        self.orphans = orphans
        self.environment = environment
        self.missingVariables = missingVariables
    }

    /// - Parameter isUsed: whether runtimes are containers. What concerns nobody else is refused only then.
    static func read(
        _ reader: inout SettingReader, environment: [String: String], isUsed: Bool
    ) -> DockerConfiguration {
        let socket = reader.value(.dockerSocket, fallback: "/var/run/docker.sock") { $0.hasPrefix("/") ? $0 : nil }
        // Docker's own variable: a shell may have it for Docker, as ssh://…, which is no business of a mode without it.
        let engine =
            isUsed
            ? reader.value(.dockerHost, fallback: .socket(socket), convert: Self.engine)
            : reader.text(.dockerHost).flatMap(Self.engine) ?? .socket(socket)
        let homes = reader.value(.sessionHomes, fallback: Homes.shared) { Homes(rawValue: $0) }
        if isUsed, homes == .private, reader.text(.workspace) != nil {
            reader.note(
                .sessionHomes,
                "private homes have their workspaces in them, and ARGUS_WORKSPACE_HOST_PATH is set: unset it, or share the homes"
            )
        }
        let names = reader.value(.runtimeEnvironment, fallback: [], convert: variableNames)
        return DockerConfiguration(
            engine: engine,
            prefix: reader.name(.containerPrefix, fallback: "argus-session"),
            network: reader.value(.dockerNetwork, fallback: "argus-net", convert: reference),
            image: reader.value(.runtimeImage, fallback: "argus-runtime", convert: reference),
            limits: limits(&reader),
            homes: homes,
            orphans: reader.value(.orphans, fallback: .dryRun) { Orphans(rawValue: $0) },
            environment: environment.filter { names.contains($0.key) && !$0.value.isEmpty },
            missingVariables: names.filter { environment[$0] == nil }.sorted())
    }

    private static func limits(_ reader: inout SettingReader) -> Limits {
        let memory = reader.value(.runtimeMemory, fallback: Int?.none) { .some(size($0).flatMap(atLeastEngineMinimum)) }
        if reader.text(.runtimeMemory) != nil, memory == nil {
            reader.refuse(.runtimeMemory, reader.text(.runtimeMemory) ?? "")
        }
        let swap = reader.text(.runtimeSwap).flatMap(size)
        if let text = reader.text(.runtimeSwap) {
            if swap == nil {
                reader.refuse(.runtimeSwap, text)
            } else if reader.text(.runtimeMemory) == nil {
                reader.refuse(.runtimeSwap, text, because: "ARGUS_RUNTIME_MEM_LIMIT is not set")
            } else if let memory, let swap, swap < memory {
                reader.refuse(.runtimeSwap, text, because: "smaller than ARGUS_RUNTIME_MEM_LIMIT")
            }
        }
        let cpus = reader.value(.runtimeCPUs, fallback: 0.0) { text in
            Double(text).flatMap { (0.01...1024).contains($0) ? $0 : nil }
        }
        let pids = reader.number(.runtimePIDs, in: 16...4_194_304, fallback: 0)
        return Limits(
            cpus: cpus > 0 ? cpus : nil, memoryBytes: memory, memorySwapBytes: swap, pids: pids > 0 ? pids : nil)
    }

    /// The engine makes no container with less.
    private static func atLeastEngineMinimum(_ bytes: Int) -> Int? { bytes >= 6 << 20 ? bytes : nil }

    /// `512m`, `1g`, `1.5gb`, `2gib` or plain bytes; units are of 1024.
    static func size(_ text: String) -> Int? {
        let lower = text.lowercased()
        let digits = lower.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let shift: Double
        switch lower.dropFirst(digits.count) {
        case "", "b": shift = 0
        case "k", "kb", "kib": shift = 10
        case "m", "mb", "mib": shift = 20
        case "g", "gb", "gib": shift = 30
        case "t", "tb", "tib": shift = 40
        default: return nil
        }
        guard let number = Double(digits), number > 0 else { return nil }
        var bytes = number
        for _ in 0..<Int(shift) { bytes *= 2 }
        return bytes < 9e15 ? Int(bytes) : nil
    }

    static func engine(_ text: String) -> Engine? {
        if text.hasPrefix("unix://") {
            let path = String(text.dropFirst(7))
            return path.hasPrefix("/") ? .socket(path) : nil
        }
        guard text.hasPrefix("tcp://") else { return nil }
        var rest = text.dropFirst(6)
        if rest.hasSuffix("/") { rest.removeLast() }
        guard !rest.isEmpty, !rest.contains("/") else { return nil }
        guard let colon = rest.lastIndex(of: ":"), !rest.hasSuffix("]") else {
            return .address(host: String(rest), port: 2375)
        }
        guard let port = Int(rest[rest.index(after: colon)...]), (1...65_535).contains(port) else { return nil }
        let host = rest[..<colon].filter { $0 != "[" && $0 != "]" }
        return host.isEmpty ? nil : .address(host: host, port: port)
    }

    private static func reference(_ text: String) -> String? {
        let isClean = text.utf8.allSatisfy { (0x21...0x7E).contains($0) } && !text.contains { "?#%\"\\".contains($0) }
        return isClean && text.utf8.count <= 255 ? text : nil
    }

    /// Nothing of the gateway's own may get into a container.
    private static func variableNames(_ text: String) -> Set<String>? {
        var names: Set<String> = []
        for name in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let isOurs = name.hasPrefix("ARGUS_") || name.hasPrefix("TELEGRAM_") || name.hasPrefix("DOCKER_")
            guard !isOurs, name.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "=") }) else {
                return nil
            }
            names.insert(String(name))
        }
        return names
    }
}

extension DockerConfiguration.Engine: CustomStringConvertible {
    package var description: String {
        switch self {
        case .socket(let path): "unix://\(path)"
        case .address(let host, let port): "tcp://\(host.contains(":") ? "[\(host)]" : host):\(port)"
        }
    }
}
