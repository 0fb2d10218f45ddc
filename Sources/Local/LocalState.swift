import ArgusCore
import ArgusService

/// What `argus up` says about itself in its home, for the commands that look for it.
package struct LocalState: Sendable {
    package let url: String
    package let redis: String

    /// nil when nothing runs there.
    package static func read(home: String) -> LocalState? {
        guard let text = TextFile.read(HomeFolder.stateFile(home: home)) else { return nil }
        guard let url = value("url", in: text), let redis = value("redis", in: text) else { return nil }
        return LocalState(url: url, redis: redis)
    }

    /// `environment` as the roles of an `argus up` have it: its Redis is its own and has no replica, whatever the shell
    /// has for others; and two roles can't serve metrics at one address.
    ///
    /// - Parameter state: the one that runs; nil for one that is only about to.
    package static func environment(_ environment: [String: String], of state: LocalState? = nil) -> [String: String] {
        var environment = environment
        let others: [Setting] = [.redisURL, .redisPrefix, .shards, .pool, .waitReplicas, .metricsAddress]
        for setting in others { environment[setting.variable] = nil }
        environment[Setting.redisURL.variable] = state?.redis
        return environment
    }

    /// The file is ours, in a form of our own: one line for each member.
    private static func value(_ name: String, in text: String) -> String? {
        text.split(separator: "\n").first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }
}
