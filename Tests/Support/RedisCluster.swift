import ArgusCore
import ArgusRedis

/// A Redis Cluster of three masters with a replica each, on an address of its own.
package final class RedisCluster: RedisFixture {
    /// How long a node is silent before the others take it for dead. Shorter, a busy machine looks like a dead one.
    private static let nodeTimeoutMilliseconds = 3000
    private static let firstPort = 7000

    /// The masters, then the replica of each.
    package let nodes: [RedisServer]
    private let host: String

    private init(host: String, nodes: [RedisServer]) {
        self.host = host
        self.nodes = nodes
    }

    /// - Parameter options: of each node; their lines come first.
    package static func start(_ options: RedisServer.Options = RedisServer.Options()) async throws -> RedisCluster {
        let host = LoopbackAddress.random()
        var nodes: [RedisServer] = []
        for number in 0..<6 {
            var options = options
            options.lines += [
                "bind \(host)", "port \(firstPort + number)", "cluster-enabled yes", "cluster-announce-ip \(host)",
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
        "redis+cluster://" + nodes.indices.map { "\(host):\(Self.firstPort + $0)" }.joined(separator: ",")
    }

    /// The node that a key's master is now.
    package func master(of key: String) async throws -> RedisServer {
        let slot = try await nodes.first { $0.isRunning }?.command("CLUSTER", "KEYSLOT", .text(key)).int ?? 0
        return try await eventually(within: .seconds(30), "a master of slot \(slot)") {
            for node in nodes where node.isRunning {
                guard let ranges = try? await node.command("CLUSTER", "SLOTS").array else { continue }
                for range in ranges {
                    guard let parts = range.array, let first = parts[0].int, let last = parts[1].int,
                        first <= slot, slot <= last, let port = parts[2].array?[1].int
                    else { continue }
                    let found = nodes[port - Self.firstPort]
                    if found.isRunning { return found }
                }
            }
            return nil
        }
    }

    /// As redis-cli -c does it: asks a node, and goes where that says. A client of the product connects to all of them
    /// first, which takes too long for a test that looks in every few milliseconds.
    package func command(_ words: [RedisArgument]) async throws -> RESPValue {
        var node = nodes.first { $0.isRunning } ?? nodes[0]
        for _ in 0..<5 {
            do {
                return try await node.command(words)
            } catch RedisError.server(let message) where message.hasPrefix("MOVED") {
                guard let port = message.split(separator: ":").last.flatMap({ Int($0) }) else { break }
                node = nodes[port - Self.firstPort]
            }
        }
        return try await withClient("inspector") { try await $0.send(words) }
    }

    /// What `redis-cli --cluster create` does, without its pauses.
    private func join() async throws {
        for (number, node) in nodes.enumerated() {
            try await node.command("CLUSTER", "SET-CONFIG-EPOCH", .integer(number + 1))
            if number > 0 {
                try await node.command("CLUSTER", "MEET", .text(host), .integer(Self.firstPort))
            }
        }
        for (node, range) in zip(nodes, [(0, 5460), (5461, 10_922), (10_923, 16_383)]) {
            try await node.command("CLUSTER", "ADDSLOTSRANGE", .integer(range.0), .integer(range.1))
        }
        try await eventually(within: .seconds(30), "nodes that know one another") {
            for node in nodes {
                let info = try await node.command("CLUSTER", "INFO").text ?? ""
                guard info.contains("cluster_known_nodes:6") else { return false }
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
