/// Where runtimes run, and what they may use.
extension Setting {
    package static let provisionMode = Setting(
        "ARGUS_PROVISION_MODE", "provision-mode", "Where runtimes run: processes here, containers, or someone else's.",
        allowed: "process, docker or static", example: "process", fallback: "process")
    package static let connectTimeout = Setting(
        "ARGUS_CONNECT_TIMEOUT_S", "connect-timeout", "Seconds that a runtime may take to come up.",
        allowed: "a number of seconds from 1 to 600", example: "30", fallback: "30")
    package static let idleTimeout = Setting(
        "ARGUS_RUNTIME_IDLE_TIMEOUT", "runtime-idle-timeout",
        "Seconds after which the container of a session at rest is stopped, to start again with its "
            + "next input; 0: never.",
        allowed: "0, or a number of seconds from 1 to 31536000", example: "3600", fallback: "0")

    package static let dockerSocket = Setting(
        "DOCKER_SOCK", "docker-sock", "The Docker engine's socket; DOCKER_HOST wins over it.",
        allowed: "an absolute path", example: "/var/run/docker.sock", fallback: "/var/run/docker.sock")
    package static let dockerHost = Setting(
        "DOCKER_HOST", "docker-host", "The Docker engine, as its own tools name it.",
        allowed: "unix:///path or tcp://host:port (without TLS)", example: "unix:///var/run/docker.sock")
    package static let containerPrefix = Setting(
        "ARGUS_CONTAINER_PREFIX", "container-prefix", "What the names of session containers begin with.",
        allowed: "1 to 32 of A–Z a–z 0–9 _ -", example: "argus-session", fallback: "argus-session")
    package static let dockerNetwork = Setting(
        "ARGUS_DOCKER_NETWORK", "docker-network", "The network of session containers; it must exist.",
        allowed: "the name of a network", example: "argus-net", fallback: "argus-net")
    package static let runtimeImage = Setting(
        "ARGUS_RUNTIME_IMAGE", "runtime-image", "The image of session containers, with the argus binary in it.",
        allowed: "the name of an image", example: "argus-runtime", fallback: "argus-runtime")
    package static let runtimeCPUs = Setting(
        "ARGUS_RUNTIME_CPUS", "runtime-cpus", "Processors that one new session container may use.",
        allowed: "a number from 0.01 to 1024", example: "1.5")
    package static let runtimeMemory = Setting(
        "ARGUS_RUNTIME_MEM_LIMIT", "runtime-mem-limit", "Memory of one new session container.",
        allowed: "6m or more, with k, m, g (of 1024) or in bytes", example: "1g")
    package static let runtimeSwap = Setting(
        "ARGUS_RUNTIME_MEMSWAP_LIMIT", "runtime-memswap-limit",
        "Memory and swap together of one new session container.",
        allowed: "a size as ARGUS_RUNTIME_MEM_LIMIT, which must be set too and not be larger", example: "2g")
    package static let runtimePIDs = Setting(
        "ARGUS_RUNTIME_PIDS_LIMIT", "runtime-pids-limit", "Processes and threads in one new session container.",
        allowed: "a whole number from 16 to 4194304", example: "512")
    package static let runtimeEnvironment = Setting(
        "ARGUS_RUNTIME_ENV", "runtime-env", "Variables of the worker that session containers get too, by name.",
        allowed: "names separated by commas, none of Argus's or Telegram's own", example: "OPENAI_API_KEY")
    package static let sessionHomes = Setting(
        "ARGUS_SESSION_HOMES", "session-homes",
        "In docker mode: whether sessions share one home, or have one each below sessions/, with its workspace.",
        allowed: "shared or private", example: "shared", fallback: "shared")
    package static let orphans = Setting(
        "ARGUS_GC_DELETE_ORPHAN_RUNTIMES", "gc-delete-orphan-runtimes",
        "What is done about containers whose session is gone.",
        allowed: "off, dry-run (say so in the log) or delete", example: "delete", fallback: "dry-run")

    package static let upstreams = Setting(
        "ARGUS_UPSTREAMS_JSON", "upstreams-json",
        "App-servers that someone else runs, by the id of their session; the same for ingress and worker.",
        allowed: #"an object as {"id":{"host":"…","port":7777}} with one entry or more"#,
        example: #"{"main":{"host":"10.0.0.5"}}"#, isSecret: true)
    package static let upstreamHost = Setting(
        "ARGUS_TCP_HOST", "tcp-host", "The one app-server of static mode, for every session.",
        allowed: "an address or a host name", example: "127.0.0.1", fallback: "127.0.0.1")
    package static let upstreamPort = Setting(
        "ARGUS_TCP_PORT", "tcp-port", "Its port.",
        allowed: "a whole number from 1 to 65535", example: "7777", fallback: "7777")
}
