import ArgusRedis
import ArgusTestSupport

/// The same work with nothing but a stream: no order, no key against repeats, no fence, no lease.
struct BareRedis: Sendable {
    let stage: QueueStage
    private let key = RedisArgument.text("bare")

    func enqueue() async throws {
        _ = try await stage.redis.send(["XADD", key, "*", "body", .text("\(WallClock.nanoseconds)")])
    }

    func makeGroup() async throws {
        _ = try await stage.redis.send(["XGROUP", "CREATE", key, "workers", "0", "MKSTREAM"])
    }

    func work(_ meter: Meter) async throws {
        try await stage.spread(meter.jobs) { _ in
            meter.began()
            let reply = try await stage.redis.send(
                ["XREADGROUP", "GROUP", "workers", "bench", "COUNT", "1", "STREAMS", key, ">"])
            guard let id = entries(reply).first?.id else { throw NotInTime("the stream is empty") }
            _ = try await stage.redis.send(["XACK", key, "workers", .text(id)])
            _ = try await stage.redis.send(["XDEL", key, .text(id)])
            meter.finished()
        }
    }

    /// Runs until cancelled.
    func wait(_ meter: Meter) async throws {
        while !Task.isCancelled {
            let reply = try await stage.blocking.send(
                ["XREADGROUP", "GROUP", "workers", "bench", "COUNT", "64", "BLOCK", "2000", "STREAMS", key, ">"],
                blockingFor: .seconds(2))
            for entry in entries(reply) {
                meter.began(sent: entry.sent)
                meter.finished()
            }
        }
    }

    private func entries(_ reply: RESPValue) -> [(id: String, sent: Int?)] {
        (reply.array?.first?.array?.last?.array ?? []).compactMap { entry in
            guard let id = entry.array?.first?.text else { return nil }
            return (id, entry.array?.last?.array?.last?.int)
        }
    }
}
