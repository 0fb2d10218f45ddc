import ArgusTestSupport

/// What may happen to an installation.
enum Trouble: Sendable, CustomStringConvertible {
    case killWorker, stopWorker(milliseconds: Int), replaceWorker
    case killIngress, stopIngress(milliseconds: Int), replaceIngress
    case killRedis(awayMilliseconds: Int), restartRedis, pauseRedis(milliseconds: Int), flushScripts
    case killAppServer, killHost, stopHost(milliseconds: Int)

    var description: String {
        switch self {
        case .killWorker: "kill -9 worker"
        case .stopWorker: "stop worker"
        case .replaceWorker: "SIGTERM worker"
        case .killIngress: "kill -9 ingress"
        case .stopIngress: "stop ingress"
        case .replaceIngress: "SIGTERM ingress"
        case .killRedis: "kill -9 redis"
        case .restartRedis: "restart redis"
        case .pauseRedis: "stop redis"
        case .flushScripts: "SCRIPT FLUSH"
        case .killAppServer: "kill -9 app-server"
        case .killHost: "kill -9 runtime host"
        case .stopHost: "stop runtime host"
        }
    }

    var concernsRedis: Bool {
        switch self {
        case .killRedis, .restartRedis, .pauseRedis: true
        default: false
        }
    }

    static func random(using generator: inout SeededGenerator) -> Trouble {
        switch Int.random(in: 0..<24, using: &generator) {
        case 0..<5: .killWorker
        case 5..<8: .stopWorker(milliseconds: Int.random(in: 500...10_000, using: &generator))
        case 8..<10: .replaceWorker
        case 10..<12: .killIngress
        case 12: .stopIngress(milliseconds: Int.random(in: 300...3000, using: &generator))
        case 13: .replaceIngress
        case 14: .killRedis(awayMilliseconds: Int.random(in: 0...2000, using: &generator))
        case 15: .restartRedis
        case 16: .pauseRedis(milliseconds: Int.random(in: 300...6000, using: &generator))
        case 17..<19: .flushScripts
        case 19..<21: .killAppServer
        case 21..<23: .killHost
        default: .stopHost(milliseconds: Int.random(in: 300...3000, using: &generator))
        }
    }

    /// When each happens, in milliseconds from the start.
    static func schedule(seconds: Int, seed: UInt64) -> [(at: Int, trouble: Trouble)] {
        var generator = SeededGenerator(seed: seed)
        var schedule: [(at: Int, trouble: Trouble)] = []
        var at = 3000
        while at < seconds * 1000 {
            schedule.append((at, random(using: &generator)))
            at += Int.random(in: 300...3000, using: &generator)
        }
        return schedule
    }
}
