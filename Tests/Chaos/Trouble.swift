import ArgusCore
import ArgusTestSupport

/// What may happen to an installation.
enum Trouble: Sendable, CustomStringConvertible {
    case killWorker, stopWorker(milliseconds: Int), replaceWorker
    /// Another that takes the place of one, at the nth time that it comes to a point of its work.
    case killWorkerAt(Place), stopWorkerAt(Place, milliseconds: Int)
    /// Stopped workers are woken when a successor has claimed, and written nothing yet.
    case wakeWorkersEarly
    case killIngress, stopIngress(milliseconds: Int), replaceIngress
    case killRedis(awayMilliseconds: Int), restartRedis, pauseRedis(milliseconds: Int), flushScripts
    case killAppServer, killHost, stopHost(milliseconds: Int)
    case killScheduler

    var description: String {
        switch self {
        case .killWorker: "kill -9 worker"
        case .stopWorker: "stop worker"
        case .replaceWorker: "SIGTERM worker"
        case .killWorkerAt: "kill -9 worker at a point"
        case .stopWorkerAt: "stop worker at a point"
        case .wakeWorkersEarly: "wake workers early"
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
        case .killScheduler: "kill -9 scheduler"
        }
    }

    var concernsRedis: Bool {
        switch self {
        case .killRedis, .restartRedis, .pauseRedis: true
        default: false
        }
    }

    static func random(using generator: inout SeededGenerator) -> Trouble {
        switch Int.random(in: 0..<34, using: &generator) {
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
        case 23: .stopHost(milliseconds: Int.random(in: 300...3000, using: &generator))
        case 24..<29: .killWorkerAt(place(using: &generator))
        case 29..<31:
            .stopWorkerAt(place(using: &generator), milliseconds: Int.random(in: 500...8000, using: &generator))
        case 31..<33: .wakeWorkersEarly
        default: .killScheduler
        }
    }

    struct Place: Sendable {
        let point: FaultPoint
        let nth: Int
    }

    /// The points around a write to Redis come more often than the others.
    private static func place(using generator: inout SeededGenerator) -> Place {
        let writes: [FaultPoint] = [.publishBefore, .settleBefore, .publishAfter, .settleAfter]
        let all = FaultPoint.allCases.filter { $0.rawValue.hasPrefix("worker.") } + writes + writes
        let point = all.randomElement(using: &generator) ?? .publishBefore
        let most: Int =
            switch point {
            case .publishBefore, .publishAfter, .acknowledgeBefore, .acknowledgeAfter: 60
            case .requestBefore, .requestAfter, .renewBefore, .renewAfter: 10
            case .beginBefore, .beginAfter, .settleBefore, .settleAfter: 10
            default: 2
            }
        return Place(point: point, nth: Int.random(in: 1...most, using: &generator))
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
