import ArgusCore
import ArgusQueue
import ArgusService
import Logging
import NIOCore
import ServiceLifecycle

/// The driver that `ARGUS_PROVISION_MODE` names, with what must run beside it.
struct RuntimeDrivers {
    let driver: any RuntimeDriver
    let services: [any Service]
    /// The workspace as runtimes see it.
    let workspace: String

    static func make(
        _ configuration: Configuration, queue: SessionQueue, group: any EventLoopGroup, logger: Logger
    ) -> RuntimeDrivers {
        let processes: @Sendable (String) -> ProcessDriver = { command in
            ProcessDriver(
                ProcessDriver.Settings(
                    home: configuration.home, workspace: configuration.workspace, runtimeCommand: command,
                    lineLimitBytes: configuration.lineLimitBytes, journalLimitBytes: configuration.journalLimitBytes,
                    startTimeout: min(configuration.connectTimeout, ProcessDriver.Settings.longestStart)),
                group: group, logger: logger)
        }
        switch configuration.provisionMode {
        case .process:
            return RuntimeDrivers(
                driver: processes(configuration.runtimeCommand), services: [], workspace: configuration.workspace)
        case .static:
            return RuntimeDrivers(
                driver: StaticDriver(configuration.upstreams, makeHost: processes), services: [],
                workspace: configuration.workspace)
        case .docker: return docker(configuration, queue: queue, group: group, logger: logger)
        }
    }

    private static func docker(
        _ configuration: Configuration, queue: SessionQueue, group: any EventLoopGroup, logger: Logger
    ) -> RuntimeDrivers {
        let missing = configuration.docker.missingVariables
        if !missing.isEmpty {
            logger.warning(
                """
                this worker has no such variables, so session containers get none: set them where it is started \
                (compose: docs/operations.md), or take them out of ARGUS_RUNTIME_ENV
                """, metadata: ["variables": "\(missing.joined(separator: ","))"])
        }
        let client = DockerClient(configuration.docker.engine, group: group)
        let identity = InstallationValue.id(queue)
        let signing = InstallationValue.tokenKey(queue)
        let installation: @Sendable () async throws -> String = { try await identity() }
        let isInHome = configuration.workspace == configuration.home + "/workspace"
        let settings = ContainerSpec.Settings(
            docker: configuration.docker, home: configuration.home,
            workspace: isInHome ? nil : configuration.workspace, pool: configuration.pool,
            runtimeCommand: configuration.runtimeCommand, lineLimitBytes: configuration.lineLimitBytes,
            journalLimitBytes: configuration.journalLimitBytes)
        let driver = DockerDriver(
            settings, client: client, connectTimeout: configuration.connectTimeout, group: group, logger: logger,
            installation: installation,
            tokenKey: { try await signing.secret() }, describe: { _ = try await queue.describe($0, $1, runtime: $2) })
        let sweeper = ContainerSweeper(
            docker: configuration.docker, pool: configuration.pool, idleTimeout: configuration.idleTimeout,
            client: client, queue: queue, installation: installation, logger: logger)
        return RuntimeDrivers(driver: driver, services: [sweeper], workspace: ContainerSpec.workspacePath)
    }
}
