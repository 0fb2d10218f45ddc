import ArgusCore
import ArgusService

/// The container of a session: its name, and all the engine is told about a new one.
struct ContainerSpec: Sendable {
    static let homePath = "/root/.argus"
    static let workspacePath = "/root/.argus/workspace"
    static let port = 7777
    /// For who comes in on the port.
    static let secretVariable = "ARGUS_LINK_SECRET"
    /// For what goes out to the gateway; the original's name for it.
    static let tokenVariable = "ARGUS_MCP_TOKEN"
    static let sessionLabel = "io.argus.session_id"
    static let installationLabel = "io.argus.installation"
    static let poolLabel = "io.argus.pool"

    /// What an installation's workers agree upon.
    struct Settings: Sendable {
        var docker: DockerConfiguration
        var home: String
        /// nil: `workspace` in the home.
        var workspace: String?
        var pool: String
        var runtimeCommand: String
        var lineLimitBytes: Int
        var journalLimitBytes: Int
    }

    let settings: Settings
    let session: SessionID
    let secret: String
    /// A `SessionToken`.
    let token: String
    let installation: String

    /// Unique among the containers of one engine: who finds it taken uses the container that has it.
    static func name(_ session: SessionID, prefix: String) -> String { "\(prefix)-\(session)" }

    var name: String { Self.name(session, prefix: settings.docker.prefix) }

    /// The body of `POST /containers/create`.
    var body: JSON {
        [
            "Image": .string(settings.docker.image),
            "Entrypoint": ["argus"],
            "Cmd": [
                "runtime-host", "--session", .string(session.rawValue), "--listen", .string("0.0.0.0:\(Self.port)"),
            ],
            "Env": .array(environment.map { .string("\($0.0)=\($0.1)") }),
            "Labels": .object(labels.map { ($0.0, .string($0.1)) }),
            "WorkingDir": .string(Self.workspacePath),
            "User": "0:0",
            // The host ends its app-server within 4 s of SIGTERM.
            "StopTimeout": 10,
            "HostConfig": .object(hostConfiguration),
        ]
    }

    /// Of secrets only this session's own: nothing in a container opens more than the container.
    var environment: [(String, String)] {
        [
            (Self.secretVariable, secret), (Self.tokenVariable, token),
            ("ARGUS_RUNTIME_CMD", settings.runtimeCommand),
            ("ARGUS_HOME_HOST_PATH", Self.homePath),
            ("ARGUS_WORKSPACE_HOST_PATH", Self.workspacePath),
            ("ARGUS_JSONL_LINE_LIMIT_BYTES", "\(settings.lineLimitBytes)"),
            ("ARGUS_JOURNAL_LIMIT_BYTES", "\(settings.journalLimitBytes)"),
            ("HOME", Self.homePath),
        ] + settings.docker.environment.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// The original's, so that its tools find these containers, and ours.
    var labels: [(String, String)] {
        [
            ("io.argus.gateway", "argus"), (Self.sessionLabel, session.rawValue),
            ("io.argus.runtime_layout", "root_argus_v1"),
            ("io.argus.runtime_home_container_path", Self.homePath),
            ("io.argus.runtime_workspace_container_path", Self.workspacePath),
            (Self.installationLabel, installation), (Self.poolLabel, settings.pool),
        ]
    }

    /// Absent folders on the host are made by the engine.
    var binds: [String] {
        switch settings.docker.homes {
        case .shared:
            [settings.home + ":" + Self.homePath]
                + (settings.workspace.map { [$0 + ":" + Self.workspacePath] } ?? [])
        case .private: [settings.home + "/sessions/\(session):" + Self.homePath]
        }
    }

    private var hostConfiguration: [(String, JSON)] {
        let limits = settings.docker.limits
        var members: [(String, JSON)] = [
            ("Binds", .array(binds.map { .string($0) })),
            ("NetworkMode", .string(settings.docker.network)),
            // Reaps what the assistant's commands leave behind, and passes SIGTERM on.
            ("Init", true),
            ("RestartPolicy", ["Name": "unless-stopped"]),
            ("SecurityOpt", ["no-new-privileges"]),
            ("CapDrop", ["ALL"]),
            ("CapAdd", .array(Self.capabilities.map { .string($0) })),
            ("LogConfig", ["Type": "json-file", "Config": ["max-size": "10m", "max-file": "3"]]),
        ]
        if let cpus = limits.cpus {
            // The engine refuses quotas below 1 ms.
            members += [("CpuPeriod", 100_000), ("CpuQuota", .integer(max(1000, Int(cpus * 100_000))))]
        }
        if let memory = limits.memoryBytes { members.append(("Memory", .integer(memory))) }
        if let swap = limits.memorySwapBytes { members.append(("MemorySwap", .integer(swap))) }
        if let pids = limits.pids { members.append(("PidsLimit", .integer(pids))) }
        return members
    }

    /// What root needs for files and packages in its own container; not raw sockets, devices or tracing others.
    private static let capabilities = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"]
}
