import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import NIOConcurrencyHelpers
import Testing

@Suite("Promise 4: a rolling restart of every process", .timeLimit(.minutes(10)))
struct RollingRestartTests {
    private static let conversations = 50
    private static let turn = Duration.seconds(4)
    /// Beyond the lateness of the same conversations just before the restart, on the same machine.
    private static let promised = Duration.seconds(2)

    /// One person at a client that reconnects: a turn after another, and how late each was.
    private struct Person: Sendable {
        let number: Int
        let client: ResumingClient

        func take(_ turn: Int) async throws -> Duration {
            let sent = ContinuousClock.now
            let words = "s\(number) t\(turn) !delay=4000"
            let params: [(String, JSON)] = [
                ("text", .string(words)), ("source", ["channel": "test", "chatKey": .string("\(number)")]),
            ]
            _ = try await client.persist("argus/input/enqueue", params, deadline: sent + .seconds(60)) { _ in
                "\(number)-\(turn)"
            }
            let heardAt = try await eventually(within: .seconds(60), "the end of \(words)") {
                let ends = client.heard.filter { $0.frame.method == "turn/completed" }
                return ends.count > turn ? ends[turn].heardAt : nil
            }
            return heardAt - sent - RollingRestartTests.turn
        }
    }

    @Test("With 50 conversations no turn is interrupted, no reply late by more than 2 s, no client reconnects twice")
    func everyProcess() async throws {
        let environment = ["ARGUS_QUEUE_MODE": "followup"]
        try await Installation.with(environment: environment, workers: 2, schedulers: 2) { installation, first in
            let old = [first, try await installation.startIngress()]
            let entrances = Entrances(old)
            let people = (0..<Self.conversations).map { Person(number: $0, client: ResumingClient(entrances)) }
            try await withThrowingTaskGroup(of: Void.self) { listening in
                for person in people { listening.addTask { await person.client.run() } }
                // The start of fifty runtimes is another matter, and so is what this machine needs for fifty turns.
                _ = try await round(of: people, 0)
                let calm = try await round(of: people, 1)
                let isOver = NIOLockedValueBox(false)
                async let late = talk(people) { isOver.withLockedValue { $0 } }
                try await restart(installation, entrances, old)
                isOver.withLockedValue { $0 = true }
                let (worst, turns) = try await late
                listening.cancelAll()
                Measured.note("worst lateness of \(people.count) turns with no restart", calm)
                Measured.note("worst lateness of \(turns) turns in a rolling restart", worst)
                #expect(worst < calm + Self.promised)
            }
            for person in people { try await expectWhole(installation, person) }
            #expect(try await installation.deadLetters().isEmpty)
        }
    }

    /// One turn of each, at the same time; the worst lateness.
    private func round(of people: [Person], _ turn: Int) async throws -> Duration {
        try await withThrowingTaskGroup(of: Duration.self) { group in
            for person in people { group.addTask { try await person.take(turn) } }
            return try await group.reduce(.zero) { max($0, $1) }
        }
    }

    private func talk(
        _ people: [Person], until isOver: @escaping @Sendable () -> Bool
    ) async throws -> (worst: Duration, turns: Int) {
        try await withThrowingTaskGroup(of: (Duration, Int).self) { group in
            for person in people {
                group.addTask {
                    var (worst, turn) = (Duration.zero, 2)
                    repeat {
                        worst = max(worst, try await person.take(turn))
                        turn += 1
                    } while !isOver()
                    return (worst, turn - 2)
                }
            }
            return try await group.reduce((.zero, 0)) { (max($0.0, $1.0), $0.1 + $1.1) }
        }
    }

    /// Each process is followed by another one, as an orchestrator does it: the new one first.
    private func restart(_ installation: Installation, _ entrances: Entrances, _ old: [Ingress]) async throws {
        for role in ["worker", "scheduler"] {
            for process in installation.running(role) {
                try await installation.start(role)
                process.signal(SIGTERM)
                #expect(try await process.waitUntilExit() == 0)
            }
        }
        for _ in old { entrances.add(try await installation.startIngress()) }
        for ingress in old { entrances.remove(ingress) }
        for ingress in old {
            ingress.process.signal(SIGTERM)
            #expect(try await ingress.process.waitUntilExit() == 0)
        }
    }

    private func expectWhole(_ installation: Installation, _ person: Person) async throws {
        let heard = person.client.heard
        let ends = heard.map(\.frame).filter { $0.method == "turn/completed" }
        #expect(ends.allSatisfy { $0.params?["turn"]?["status"]?.string == "completed" })
        #expect(heard.count { $0.frame.method == "turn/started" } == ends.count)
        #expect(person.client.reconnects <= 1)
        let session = try #require(person.client.session)
        let own = Set(heard.map(\.id))
        let stored = try await installation.events(of: session).filter { $0.to == nil || own.contains($0.id) }
        #expect(heard.map(\.id) == stored.filter { $0.kind != "c" }.map(\.id))
        let replies = try await installation.outbox("\(person.number)").map(\.text)
        #expect(replies == ends.indices.map { "echo: s\(person.number) t\($0) !delay=4000" })
    }
}
