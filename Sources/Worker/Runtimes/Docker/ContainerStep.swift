import ArgusCore

/// What is to be done next so that a session's container runs and can be connected to. Pure: from what was seen to a
/// step.
///
///     none ──create──▶ created ──start──▶ running ──address──▶ connect
///      ▲                  exited ──start──┘  │ unhealthy
///      └── replace: another session's secret, a void token, dead ◄──┘
enum ContainerStep: Equatable {
    case create
    case start
    case unpause
    /// The engine is at something itself.
    case wait
    /// Remove this one, then make another: its data is in its mounts.
    case replace(because: String)
    case connect(address: String)
    /// It belongs to someone else.
    case refuse

    static func next(_ container: Container?, for spec: ContainerSpec) -> ContainerStep {
        guard let container else { return .create }
        guard container.labels[ContainerSpec.installationLabel] == spec.installation else { return .refuse }
        switch container.status {
        case .removing: return .wait
        case .dead: return .replace(because: "it is dead")
        case _ where container.secret != spec.secret:
            // The session was deleted and made again under its old id, or the engine kept it from another life of
            // Redis.
            return .replace(because: "it belongs to an earlier session of this id")
        case _ where container.token != spec.token:
            return .replace(because: "its token was signed with another key")
        case .created, .exited: return .start
        case .paused: return .unpause
        case .restarting: return .wait
        case .running:
            guard container.isHealthy else { return .replace(because: "it is unhealthy") }
            return container.address.map { .connect(address: $0) } ?? .wait
        }
    }
}
