import ArgusCore
import ArgusRedis

/// A master with replicas, and three sentinels that watch over them.
///
/// All of it listens on an address of 127.0.0.0/8 of its own, so that ports can't be taken.
package final class RedisSentinels: RedisFixture {
    package static let master = "argus-master"
    /// How long a master is silent before a sentinel takes it for dead. Shorter, a busy machine looks like a dead one.
    private static let downAfterMilliseconds = 2000

    package let servers: [RedisServer]
    package let sentinels: [RedisServer]
    private let host: RedisHost

    private init(host: RedisHost, servers: [RedisServer], sentinels: [RedisServer]) {
        self.host = host
        self.servers = servers
        self.sentinels = sentinels
    }

    /// - Parameter options: of each server, the master included.
    package static func start(
        _ options: RedisServer.Options = RedisServer.Options(), replicas: Int = 1, secure: Bool = false
    ) async throws -> RedisSentinels {
        let host = try await RedisHost(secure: secure)
        var servers: [RedisServer] = []
        for number in 0...replicas {
            var options = options
            options.lines += host.listening(7000 + number) + ["replica-announce-ip \(host.address)"]
            options.lines += ["repl-diskless-sync-delay 0", "repl-ping-replica-period 1"]
            if number > 0 { options.lines.append("replicaof \(host.address) 7000") }
            servers.append(try await RedisServer.start(options))
        }
        var sentinels: [RedisServer] = []
        for number in 0..<3 {
            var options = RedisServer.Options()
            options.isSentinel = true
            options.lines = host.listening(26_379 + number)
            options.lines += [
                "sentinel announce-ip \(host.address)", "sentinel monitor \(master) \(host.address) 7000 2",
                "sentinel down-after-milliseconds \(master) \(downAfterMilliseconds)",
                "sentinel failover-timeout \(master) 6000",
            ]
            sentinels.append(try await RedisServer.start(options))
        }
        let group = RedisSentinels(host: host, servers: servers, sentinels: sentinels)
        try await group.waitUntilGuarded(replicas)
        return group
    }

    package var url: String {
        host.url("sentinel", sentinels.indices.map { 26_379 + $0 }, "/\(Self.master)")
    }

    /// The server that the sentinels call the master.
    package func current() async throws -> RedisServer {
        try await eventually("a sentinel that names a master") {
            for sentinel in sentinels where sentinel.isRunning {
                let reply = try? await sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", .text(Self.master))
                guard let port = reply?.array?.last?.int, servers.indices.contains(port - 7000) else { continue }
                return servers[port - 7000]
            }
            return nil
        }
    }

    /// kill -9 of the master; later it comes back as a replica of its successor.
    package func failOver() async throws {
        let master = try await current()
        await master.kill()
        try await eventually(within: .seconds(60), "another master") { try await current() !== master }
        try await master.launch()
    }

    /// Until every sentinel knows the others and all replicas, which follow the master: before, no failover succeeds.
    private func waitUntilGuarded(_ replicas: Int) async throws {
        try await eventually(within: .seconds(30), "sentinels that know one another and the replicas") {
            for sentinel in sentinels {
                let facts = try await sentinel.command("SENTINEL", "MASTER", .text(Self.master)).pairs
                guard facts["num-other-sentinels"].map({ String(buffer: $0) }) == "2",
                    facts["num-slaves"].map({ String(buffer: $0) }) == "\(replicas)"
                else { return false }
            }
            for replica in servers.dropFirst() {
                let role = try await replica.command("ROLE")
                guard role.array?.count == 5, role.array?[3].text == "connected" else { return false }
            }
            return true
        }
    }

    package func kill() async {
        for server in sentinels + servers { await server.kill() }
    }

    package func launch() async throws {
        for server in servers + sentinels where !server.isRunning { try await server.launch() }
    }

    package func restart() async throws {
        for server in servers { try await server.restart() }
    }

    package func pause() {
        for server in servers { server.pause() }
    }

    package func resume() {
        for server in servers { server.resume() }
    }
}

/// An address of this machine that no other test has.
package enum LoopbackAddress {
    package static func random() -> String {
        "127.\(Int.random(in: 1...254)).\(Int.random(in: 0...255)).\(Int.random(in: 1...254))"
    }
}
