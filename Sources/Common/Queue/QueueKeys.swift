import ArgusCore
import ArgusRedis

/// Every Redis key of the queue, once. A session's keys carry the hash tag of its shard, so one script may touch them
/// all, on one Redis and on a cluster.
package struct QueueKeys: Sendable {
    package let prefix: String
    /// Fixed for the life of an installation: another count puts sessions elsewhere.
    package let shards: Int
    private let bases: [String]

    package init(prefix: String = "argus", shards: Int = 1) {
        self.prefix = prefix
        self.shards = max(1, shards)
        bases = (0..<self.shards).map { "\(prefix):{\($0)}" }
    }

    package func shard(of session: SessionID) -> Int {
        shards == 1 ? 0 : Int(KeySlot.crc16(session.rawValue.utf8)) % shards
    }

    /// What stands before every key of a shard.
    package func base(_ shard: Int) -> String { bases[shard] }
    package func base(of session: SessionID) -> String { base(shard(of: session)) }

    // Of one session.
    package func session(_ session: SessionID) -> String { "\(base(of: session)):session:\(session)" }
    package func inbox(_ session: SessionID) -> String { "\(base(of: session)):inbox:\(session)" }
    package func lanes(_ session: SessionID) -> String { "\(base(of: session)):lanes:\(session)" }
    package func names(_ session: SessionID) -> String { "\(base(of: session)):names:\(session)" }
    package func systemEvents(_ session: SessionID) -> String { "\(base(of: session)):sysevents:\(session)" }
    /// The stream of events, and the Pub/Sub channel that wakes its readers.
    package func events(_ session: SessionID) -> String { "\(base(of: session)):events:\(session)" }
    /// Where the segments of the events end, for trimming by bytes.
    package func marks(_ session: SessionID) -> String { "\(base(of: session)):marks:\(session)" }
    package func pending(_ session: SessionID) -> String { "\(base(of: session)):pending:\(session)" }
    package func clients(_ session: SessionID) -> String { "\(base(of: session)):clients:\(session)" }
    package func dedupe(_ session: SessionID, _ key: String) -> String {
        "\(base(of: session)):dedupe:\(session):\(key)"
    }

    // Of one shard.
    package func ready(_ shard: Int, pool: String) -> String { "\(base(shard)):ready:\(pool)" }
    package func running(_ shard: Int, pool: String) -> String { "\(base(shard)):ready:\(pool):running" }
    package func sessions(_ shard: Int) -> String { "\(base(shard)):sessions" }
    package func delayed(_ shard: Int) -> String { "\(base(shard)):delayed" }
    package func dead(_ shard: Int) -> String { "\(base(shard)):dead" }
    package func delivery(_ shard: Int, channel: String) -> String { "\(base(shard)):delivery:\(channel)" }
    package func chat(_ chat: ChatAddress) -> String { "\(base(chat.shard)):chat:\(chat.channel):\(chat.chat)" }
    package func outbox(_ chat: ChatAddress) -> String { "\(base(chat.shard)):outbox:\(chat.channel):\(chat.chat)" }

    /// What is written so that replicas can be asked whether they have it.
    package func replicated(_ shard: Int) -> String { "\(base(shard)):replicated" }
    /// The channel on which a worker or deliverer is told of new input of this shard (message: session id, or
    /// `<channel>:<chat>`).
    package func wake(_ shard: Int, _ owner: String) -> String { "\(base(shard)):wake:\(owner)" }

    // Of the installation: each may be on another node of a cluster, so no script touches two of them.
    package var defaultSession: String { "\(prefix):default" }
    /// A random id, the same for as long as this Redis keeps its data.
    package var installation: String { "\(prefix):installation" }
    /// How many shards its sessions are spread over.
    package var shardCount: String { "\(prefix):shards" }
    /// What session tokens are signed with. Deleted, all of them are void.
    package var tokenKey: String { "\(prefix):tokenkey" }
    /// The presence of a worker.
    package func worker(_ worker: String) -> String { "\(prefix):worker:\(worker)" }
    package func ingress(_ ingress: String) -> String { "\(prefix):ingress:\(ingress)" }
}
