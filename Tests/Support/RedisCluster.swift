import ArgusCore
import ArgusRedis

/// A Redis Cluster of three masters, with a replica each or none, on an address of its own.
package final class RedisCluster: RedisFixture {
    /// How long a node is silent before the others take it for dead. Shorter, a busy machine looks like a dead one.
    private static let nodeTimeoutMilliseconds = 3000
    private static let firstPort = 7000

    /// The masters, then the replica of each, if it has one.
    package let nodes: [RedisServer]
    private let host: RedisHost

    private init(host: RedisHost, nodes: [RedisServer]) {
        self.host = host
        self.nodes = nodes
    }

    /// - Parameter options: of each node; their lines come first.
    package static func start(
        _ options: RedisServer.Options = RedisServer.Options(), replicated: Bool = true, secure: Bool = false
    ) async throws -> RedisCluster {
        let host = try await RedisHost(secure: secure)
        var nodes: [RedisServer] = []
        for number in 0..<(replicated ? 6 : 3) {
            var options = options
            options.lines += host.listening(firstPort + number)
            options.lines += [
                "cluster-enabled yes", "cluster-announce-ip \(host.address)", "tls-cluster \(secure ? "yes" : "no")",
                "cluster-node-timeout \(nodeTimeoutMilliseconds)", "cluster-replica-validity-factor 0",
                "cluster-require-full-coverage no",
                "repl-diskless-sync-delay 0",
            ]
            nodes.append(try await RedisServer.start(options))
        }
        let cluster = RedisCluster(host: host, nodes: nodes)
        try await cluster.join()
        return cluster
    }

    package var servers: [RedisServer] { nodes }

    package var url: String {
        host.url("cluster", nodes.indices.map { Self.firstPort + $0 })
    }

    /// The node that a key's master is now.
    package func master(of key: String) async throws -> RedisServer {
        let slot = try await nodes.first { $0.isRunning }?.command("CLUSTER", "KEYSLOT", .text(key)).int ?? 0
        return try await eventually(within: .seconds(30), "a master of slot \(slot)") {
            for node in nodes where node.isRunning {
                guard let ranges = try? await node.command("CLUSTER", "SLOTS").array else { continue }
                for range in ranges {
                    guard let parts = range.array, let first = parts[0].int, let last = parts[1].int,
                        first <= slot, slot <= last, let id = parts[2].array?[2].text
                    else { continue }
                    for found in nodes where found.isRunning {
                        if try await found.command("CLUSTER", "MYID").text == id { return found }
                    }
                }
            }
            return nil
        }
    }

    /// kill -9 of the node that has `key`; it comes back as the replica of its successor.
    package func failOver(of key: String) async throws {
        let master = try await master(of: key)
        await master.kill()
        try await eventually(within: .seconds(60), "another master") { try await self.master(of: key) !== master }
        try await master.launch()
    }

    /// As redis-cli -c does it: asks a node, and goes where that says. A client of the product connects to all of them
    /// first, which takes too long for a test that looks in every few milliseconds.
    package func command(_ words: [RedisArgument]) async throws -> RESPValue {
        var node = nodes.first { $0.isRunning } ?? nodes[0]
        for _ in 0..<5 {
            do {
                return try await node.command(words)
            } catch RedisError.server(let message) where message.hasPrefix("MOVED") {
                guard let port = message.split(separator: ":").last.flatMap({ Int($0) }),
                    nodes.indices.contains(port - Self.firstPort)
                else { break }
                node = nodes[port - Self.firstPort]
            } catch RedisError.server(let message) where message.hasPrefix("CLUSTERDOWN") {
                // It was started a moment ago.
                try await waitUntilWhole()
            }
        }
        return try await withClient("inspector") { try await $0.send(words) }
    }

    /// What `redis-cli --cluster create` does, without its pauses.
    private func join() async throws {
        for (number, node) in nodes.enumerated() {
            try await node.command("CLUSTER", "SET-CONFIG-EPOCH", .integer(number + 1))
            // Each the earlier ones: by hearsay alone they would need seconds.
            for other in 0..<number {
                try await node.command("CLUSTER", "MEET", .text(host.address), .integer(Self.firstPort + other))
            }
        }
        for (node, range) in zip(nodes, [(0, 5460), (5461, 10_922), (10_923, 16_383)]) {
            try await node.command("CLUSTER", "ADDSLOTSRANGE", .integer(range.0), .integer(range.1))
        }
        try await eventually(within: .seconds(30), "nodes that know one another") {
            for node in nodes {
                let info = try await node.command("CLUSTER", "INFO").text ?? ""
                guard info.contains("cluster_known_nodes:\(nodes.count)") else { return false }
            }
            return true
        }
        for (master, replica) in zip(nodes[..<3], nodes[3...]) {
            let id = try await master.command("CLUSTER", "MYID").text ?? ""
            try await eventually(within: .seconds(30), "a replica that knows its master") {
                (try? await replica.command("CLUSTER", "REPLICATE", .text(id))) != nil
            }
        }
        try await waitUntilWhole()
    }

    /// Until every slot is served, as all that run see it, and replicas follow their masters.
    package func waitUntilWhole() async throws {
        try await eventually(within: .seconds(60), "a cluster that is whole") {
            for node in nodes where node.isRunning {
                let info = (try? await node.command("CLUSTER", "INFO").text) ?? ""
                guard info.contains("cluster_state:ok"), info.contains("cluster_slots_ok:16384") else { return false }
                let role = try? await node.command("ROLE").array
                if role?.first?.text == "slave", role?[3].text != "connected" { return false }
            }
            return true
        }
    }

    package func kill() async {
        for node in nodes { await node.kill() }
    }

    package func launch() async throws {
        for node in nodes where !node.isRunning { try await node.launch() }
        try await waitUntilWhole()
    }

    package func restart() async throws {
        for node in nodes { try await node.stop() }
        try await launch()
    }

    package func pause() {
        for node in nodes { node.pause() }
    }

    package func resume() {
        for node in nodes { node.resume() }
    }
}
