import ArgusCore
import ArgusTestSupport
import Foundation
import NIOCore

/// `argus-bench docker`: what a person waits for whose session has no container yet, with where the time goes.
///
/// Each round is a new session: connect, and send the first input at once. The steps are told apart by who writes them
/// down: the worker's log (create, start), the runtime host's log in the container (initialize), the frames that the
/// client hears. Containers stay until the end, as they do in an installation.
enum ColdStart {
    static let steps = ["create", "start", "listening", "attached", "initialized", "first event", "first turn"]

    static func run(rounds: Int, on group: any EventLoopGroup) async throws {
        Report.heading("Cold start in Docker, \(rounds) new sessions one after the other, ms since the connect")
        let settings = ["ARGUS_LOG_LEVEL": "info", "ARGUS_QUEUE_MODE": "followup"]
        try await DockerEngine.with(environment: settings) { engine, installation, ingress, prefix in
            var totals: [String: Figures] = [:]
            var (warmTurns, warmAttaches) = (Figures(), Figures())
            for number in 0...rounds {
                let begin = Date()
                let socket = try await BenchSocket.connect(port: ingress.port, on: group)
                let session = socket.session ?? ""
                var times = ["session known": Date()]
                socket.send(#"{"id":1,"method":"argus/input/enqueue","params":{"text":"hi"}}"#)
                await socket.wait(.threadStarted, 1)
                times["first event"] = Date()
                await socket.wait(.completed, 1)
                times["first turn"] = Date()
                times.merge(try await logged(session, engine, installation, prefix)) { $1 }
                // The first container raises the network's bridge, which may take the kernel a second.
                guard number > 0 else { continue }
                for (name, time) in times {
                    totals[name, default: Figures()].add(.seconds(time.timeIntervalSince(begin)))
                }
                try await warm(session, port: ingress.port, group, &warmAttaches, &warmTurns)
                socket.close()
            }
            for name in ["session known"] + steps {
                guard let figures = totals[name] else { continue }
                let bar = ["first event": "≤ 542", "first turn": "≤ 450"][name] ?? ""
                Report.line("\(name), p50 / p90", "\(whole(figures.p50)) / \(whole(figures.percentile(0.9)))", bar: bar)
            }
            let (attach, turn) = (Report.number(warmAttaches.p50), Report.number(warmTurns.p50))
            Report.line("attach to a session that runs + a turn, p50", "\(attach) + \(turn)", bar: "≤ 5")
        }
    }

    /// Another client of a session that runs: until it is greeted, and its turn.
    private static func warm(
        _ session: String, port: Int, _ group: any EventLoopGroup, _ attaches: inout Figures, _ turns: inout Figures
    ) async throws {
        let begin = ContinuousClock.now
        let socket = try await BenchSocket.connect(port: port, query: "?session=\(session)", on: group)
        attaches.add(.now - begin)
        let sent = ContinuousClock.now
        socket.send(#"{"id":1,"method":"argus/input/enqueue","params":{"text":"hi"}}"#)
        await socket.wait(.completed, 1)
        turns.add(.now - sent)
        socket.close()
    }

    /// When the worker and the host had done their steps, by their own words.
    private static func logged(
        _ session: String, _ engine: DockerEngine, _ installation: Installation, _ prefix: String
    ) async throws -> [String: Date] {
        let worker = installation.running("worker").flatMap(\.lines)
        guard let line = worker.last(where: { $0.contains("container runs") && $0.contains(session) }),
            let connected = time(line)
        else { throw NotInTime("the worker did not say that the container of \(session) runs") }
        func took(_ name: String) -> Double {
            let match = try? Regex("\(name)=\"(\\d+(?:\\.\\d+)?)").firstMatch(in: line)
            return match?.output[1].substring.flatMap { Double($0) } ?? 0
        }
        let began = connected.addingTimeInterval(-took("total") / 1000)
        var times = ["create": began.addingTimeInterval(took("create") / 1000)]
        times["start"] = times["create"]?.addingTimeInterval(took("start") / 1000)
        let host = try await engine.logs(of: "\(prefix)-\(session)")
        times["listening"] = host.first { $0.hasSuffix(" ready") }.flatMap(time)
        times["attached"] = host.first { $0.contains("attach accepted=true") }.flatMap(time)
        times["initialized"] = host.first { $0.contains("app-server runs") }.flatMap(time)
        return times
    }

    private static func time(_ line: String) -> Date? {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return line.split(separator: " ").first.flatMap { try? style.parse(String($0)) }
    }

    private static func whole(_ value: Double) -> String { Report.number(value, 0) }
}
