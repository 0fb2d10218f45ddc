import ArgusCore
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Servers that know where the masters are: sentinels, or the nodes of a cluster. Asked over a connection of a moment;
/// all connections of a process share what was said.
final class RedisGuides: Sendable {
    /// How long one of them may take to answer.
    private static let patience = TimeAmount.seconds(2)

    private struct State: Sendable {
        var map: RedisMap?
        var askedAt: ContinuousClock.Instant?
        /// Whoever answered last.
        var favourite: RedisConfiguration.Endpoint?
    }

    private let place: RedisConfiguration.Place
    private let state = NIOLockedValueBox(State())

    init?(_ place: RedisConfiguration.Place) {
        if case .server = place { return nil }
        self.place = place
    }

    /// - Parameter maxAge: an answer not older than this will do.
    /// - Throws: `ArgusError` that says what each of them answered.
    func map(_ configuration: RedisConfiguration, maxAge: Duration) async throws -> RedisMap {
        let (known, askedAt) = state.withLockedValue { ($0.map, $0.askedAt) }
        if let known, let askedAt, ContinuousClock.now - askedAt <= maxAge { return known }
        var failures: [String] = []
        var codes: Set<ArgusError.Code> = []
        for guide in candidates {
            do {
                let map = try await ask(guide, configuration)
                state.withLockedValue { $0 = State(map: map, askedAt: .now, favourite: guide) }
                return map
            } catch {
                if Task.isCancelled { throw CancellationError() }
                let cause = error as? ArgusError
                codes.insert(cause?.code ?? .unavailable)
                failures.append("\(guide): \(cause?.message ?? RedisConnector.words(error))")
            }
        }
        // Where all refuse alike, it is not a matter of waiting.
        let code = codes.count == 1 ? codes.first : nil
        throw ArgusError(code ?? .unavailable, "\(complaint): \(failures.joined(separator: "; "))")
    }

    /// A node said that a slot is another's.
    func moved(_ slot: Int, to master: RedisConfiguration.Endpoint) {
        state.withLockedValue { $0.map?.move(slot, to: master) }
    }

    private var complaint: String {
        switch place {
        case .sentinels(_, let master): "no sentinel names a master “\(master)”"
        case .cluster, .server: "no node of the cluster says who serves what"
        }
    }

    /// The favourite first; of a cluster also the masters that were learned.
    private var candidates: [RedisConfiguration.Endpoint] {
        let (map, favourite) = state.withLockedValue { ($0.map, $0.favourite) }
        var all: [RedisConfiguration.Endpoint] = favourite.map { [$0] } ?? []
        switch place {
        case .sentinels(let sentinels, _): all += sentinels
        case .cluster(let nodes): all += nodes + (map?.masters ?? [])
        case .server: break
        }
        var seen: Set<RedisConfiguration.Endpoint> = []
        return all.filter { seen.insert($0).inserted }
    }

    private func ask(_ guide: RedisConfiguration.Endpoint, _ configuration: RedisConfiguration) async throws -> RedisMap
    {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let connection = try await RedisConnection.open(configuration, guide, purpose: .commands, on: loop)
        defer { connection.close(because: RedisConnection.End.closedByUs) }
        // A server without a password answers AUTH with an error, and goes on.
        let commands = (configuration.authentication.map { [$0] } ?? []) + [question]
        guard let reply = try await connection.ask(commands, limit: Self.patience).last else { return RedisMap([]) }
        if case .error(let message) = reply { throw refusal(message) }
        return switch place {
        case .sentinels: try RedisMap(sentinel: reply)
        case .cluster, .server: try RedisMap(slots: reply, toldBy: guide)
        }
    }

    private var question: [RedisArgument] {
        switch place {
        case .sentinels(_, let master): ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", .text(master)]
        case .cluster, .server: ["CLUSTER", "SLOTS"]
        }
    }

    private func refusal(_ message: String) -> ArgusError {
        let isSentinel = if case .sentinels = place { true } else { false }
        switch message.prefix(while: { $0 != " " }) {
        case "NOAUTH":
            return ArgusError(.unauthorized, "it asks for a password, and got that of ARGUS_REDIS_URL or none")
        case "NOPERM": return ArgusError(.unauthorized, message)
        case _ where isSentinel && message.contains("unknown command"):
            return ArgusError(.invalidArgument, "it is no sentinel (those listen on 26379): is it the Redis itself?")
        case _ where message.contains("cluster support disabled"):
            return ArgusError(.invalidArgument, "it is no node of a cluster: write redis:// in ARGUS_REDIS_URL")
        default: return ArgusError(.unavailable, message)
        }
    }
}

extension RedisConfiguration {
    var authentication: [RedisArgument]? {
        guard let password else { return nil }
        return ["AUTH"] + (user.map { [.text($0)] } ?? []) + [.text(password.exposed)]
    }
}
