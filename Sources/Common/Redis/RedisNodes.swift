import ArgusCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle

/// The connections of one client: one to each master. Outside of a cluster there is one, and it never changes.
///
///     asked ──map──▶ one connection to each master ──lost, MOVED, 5 s──▶ asked again (each 250 ms until all are up)
final class RedisNodes: RedisParty {
    typealias Endpoint = RedisConfiguration.Endpoint

    private struct Node: Sendable {
        let connector: RedisConnector
        /// Finished, it ends the connector.
        let life: AsyncStream<Void>.Continuation
    }

    private struct State: Sendable {
        var map: RedisMap?
        var nodes: [Endpoint: Node] = [:]
        /// Why there is no map, if waiting doesn't lift it.
        var refusal: ArgusError?
        var isHurried = false
    }

    /// nil on a cluster.
    let single: RedisConnector?
    let configuration: RedisConfiguration
    private let name: String
    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    init(_ configuration: RedisConfiguration, name: String, logger: Logger) {
        self.configuration = configuration
        self.name = name
        self.logger = logger
        if case .cluster = configuration.place {
            single = nil
        } else {
            single = RedisConnector(configuration, name: name, purpose: .commands, logger: logger)
        }
    }

    func run() async {
        if let single { return await single.run() }
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { await self.follow(&$0) }
        }
    }

    /// One connector for each master of the newest map.
    private func follow(_ group: inout DiscardingTaskGroup) async {
        let outage = configuration.outage
        var isAway = false
        defer { outage.left(self) }
        while !Task.isCancelled {
            let age = Duration.milliseconds(isReady ? 5000 : 250)
            do {
                if let map = try await configuration.guides?.map(configuration, maxAge: age) {
                    for (connector, isAlive) in take(map) {
                        group.addTask { await Self.run(connector, while: isAlive) }
                    }
                    if isAway { outage.connected(self, logger: logger) }
                    isAway = false
                }
            } catch let error as ArgusError {
                outage.lost(self, because: error, logger: logger)
                isAway = true
                state.withLockedValue { $0.refusal = error.isRefusal ? error : nil }
            } catch {}
            // By the clock, since a cluster tells nobody of a failover; between two questions MOVED corrects the map.
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    /// The connectors that are to be started; those no longer needed end.
    private func take(_ map: RedisMap) -> [(RedisConnector, AsyncStream<Void>)] {
        state.withLockedValue { state in
            state.map = map
            state.refusal = nil
            for (endpoint, node) in state.nodes where !map.masters.contains(endpoint) {
                node.life.finish()
                state.nodes[endpoint] = nil
            }
            var new: [(RedisConnector, AsyncStream<Void>)] = []
            for endpoint in map.masters where state.nodes[endpoint] == nil {
                let connector = RedisConnector(
                    configuration, .node(endpoint), name: name, purpose: .commands, logger: logger)
                if state.isHurried { connector.hurry() }
                let (isAlive, life) = AsyncStream.makeStream(of: Void.self)
                state.nodes[endpoint] = Node(connector: connector, life: life)
                new.append((connector, isAlive))
            }
            return new
        }
    }

    private static func run(_ connector: RedisConnector, while isAlive: AsyncStream<Void>) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await connector.run() }
            group.addTask { for await _ in isAlive {} }
            _ = await group.next()
            group.cancelAll()
        }
    }

    /// nil: nobody is known to serve it.
    func connector(ofSlot slot: Int?) -> RedisConnector? {
        if let single { return single }
        return state.withLockedValue { state in
            guard let slot else { return state.nodes.values.first { $0.connector.ready != nil }?.connector }
            return state.map?.master(of: slot).flatMap { state.nodes[$0]?.connector }
        }
    }

    func connector(at endpoint: Endpoint) -> RedisConnector? {
        if let single { return single.ready?.endpoint == endpoint ? single : nil }
        return state.withLockedValue { $0.nodes[endpoint]?.connector }
    }

    /// What MOVED said. A master that is new here is connected to at the next look at the map.
    func moved(_ slot: Int, to master: Endpoint) {
        configuration.guides?.moved(slot, to: master)
        state.withLockedValue { $0.map?.move(slot, to: master) }
    }

    var all: [RedisConnector] {
        single.map { [$0] } ?? state.withLockedValue { $0.nodes.values.map(\.connector) }
    }

    /// Connected to all of them.
    var isReady: Bool {
        if let single { return single.ready != nil }
        return state.withLockedValue { state in
            guard let map = state.map else { return false }
            return map.masters.allSatisfy { state.nodes[$0]?.connector.ready != nil }
        }
    }

    func waitUntilReady() async throws {
        if let single {
            _ = try await single.waitUntilReady(patience: nil)
            return
        }
        while !isReady {
            if let refusal = state.withLockedValue(\.refusal) { throw refusal }
            // One that is replaced by another master while we wait is no failure.
            for connector in all {
                do { _ = try await connector.waitUntilReady(patience: nil) } catch is RedisError {}
            }
            // By the clock, since only a start waits here for a first map: too rare for a list of waiters beside it.
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func hurry() {
        state.withLockedValue { $0.isHurried = true }
        for connector in all { connector.hurry() }
    }
}
