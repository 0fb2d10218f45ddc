import Foundation

/// What an installation of the tests keeps its data in.
package enum RedisTopology: String, Sendable, CaseIterable {
    case single
    /// A master with two replicas, as docs/operations.md recommends: when one has become the master, the other can
    /// still confirm what is written.
    case sentinel
    /// Three masters.
    case cluster
    /// Three masters with a replica each.
    case replicatedCluster

    /// ARGUS_TEST_REDIS: every test that doesn't choose for itself runs on this one.
    package static let ofTheRun: RedisTopology =
        ProcessInfo.processInfo.environment["ARGUS_TEST_REDIS"].flatMap { RedisTopology(rawValue: $0) } ?? .single

    /// Of a cluster: some for each master.
    package var shards: Int { [.cluster, .replicatedCluster].contains(self) ? 8 : 1 }

    func start(_ options: RedisServer.Options) async throws -> any RedisFixture {
        switch self {
        case .single: try await RedisServer.start(options)
        case .sentinel: try await RedisSentinels.start(options, replicas: 2)
        case .cluster: try await RedisCluster.start(options, replicated: false)
        case .replicatedCluster: try await RedisCluster.start(options)
        }
    }
}
