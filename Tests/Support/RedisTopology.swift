import Foundation

/// What an installation of the tests keeps its data in.
package enum RedisTopology: String, Sendable, CaseIterable {
    case single, sentinel, cluster

    /// ARGUS_TEST_REDIS: every test that doesn't choose for itself runs on this one.
    package static let ofTheRun: RedisTopology =
        ProcessInfo.processInfo.environment["ARGUS_TEST_REDIS"].flatMap { RedisTopology(rawValue: $0) } ?? .single

    /// Of a cluster: some for each master.
    package var shards: Int { self == .cluster ? 8 : 1 }

    func start(_ options: RedisServer.Options) async throws -> any RedisFixture {
        switch self {
        case .single: try await RedisServer.start(options)
        case .sentinel: try await RedisSentinels.start(options)
        case .cluster: try await RedisCluster.start(options)
        }
    }
}
