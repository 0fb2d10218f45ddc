import ArgusRedis
import ArgusTestSupport
import Foundation

/// Measures how long sessions are without an owner that works: counted anew from each moment at which Redis was away,
/// at which the last worker went that had been up all along, or one to which the session had been handed and who had
/// not claimed it yet.
struct TakeOverWatch: Sendable {
    /// Of which a worker and Redis were up all along.
    static let promised = Duration.seconds(5)
    private static let patience = Duration.seconds(60)

    let installation: Installation
    let workers: Workers
    let ledger: Ledger

    private struct Course {
        let session: String
        let owner: String
        let began: ContinuousClock.Instant
        var since: ContinuousClock.Instant
        var story: [String] = []
        var struck: Set<String> = []
        /// Workers that have been up since `since`.
        var witnesses: Set<pid_t>

        mutating func begin(at time: ContinuousClock.Instant, _ up: Set<pid_t>, _ why: String) {
            note(why)
            (since, witnesses) = (time, up)
        }

        /// Not again what was noted at one of the last looks.
        mutating func note(_ what: String) {
            guard !story.suffix(3).contains(where: { $0.hasSuffix(what) }) else { return }
            story.append(String(format: "%.2f s %@", (ContinuousClock.now - began) / .seconds(1), what))
        }
    }

    private struct Sight {
        let ready: String?
        let owner: String?
        let delayedUntil: String?
        var struckHolder: String?
    }

    /// - Parameter sleepers: the owners of `owned` where they are not dead: awake, they may be their owners still.
    func run(_ owned: [Workers.Owned], since: ContinuousClock.Instant, sleepers: [ChildProcess] = []) async {
        var courses = owned.map {
            Course(session: $0.session, owner: $0.owner, began: since, since: since, witnesses: workers.up)
        }
        var lastLook = since
        while !courses.isEmpty {
            let areAwake = !sleepers.isEmpty && !sleepers.contains { Workers.isStopped($0.pid) }
            let sights = try? await look(at: courses.map(\.session))
            let now = ContinuousClock.now
            // Who looks too seldom can't say when something happened.
            let isLate = now - lastLook > .seconds(1)
            lastLook = now
            let (redisUpSince, up) = (ledger.redisUpSince, workers.up)
            var still: [Course] = []
            for (index, var course) in courses.enumerated() {
                if redisUpSince.map({ $0 > course.since }) ?? true {
                    course.begin(at: redisUpSince ?? now, up, "Redis was away")
                }
                course.witnesses.formIntersection(up)
                if course.witnesses.isEmpty { course.begin(at: now, up, "no worker was up all along") }
                course.note("with \(up.count) up")
                if let sight = sights?[index], isOver(&course, sight, up, at: now, isLate) { continue }
                if areAwake, sights?[index].owner == course.owner { continue }
                guard now - course.since < Self.patience else {
                    ledger.fail("\(course.session) got no other owner: \(course.story)")
                    continue
                }
                still.append(course)
            }
            courses = still
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    private func isOver(
        _ course: inout Course, _ sight: Sight, _ up: Set<pid_t>, at now: ContinuousClock.Instant, _ isLate: Bool
    ) -> Bool {
        if isLate, sight.owner != course.owner {
            ledger.missedTakeOver()
            return true
        }
        if let owner = sight.owner, owner != course.owner {
            course.note("claimed by \(owner)")
            ledger.add(
                TakeOver(
                    session: course.session, counted: now - course.since, whole: now - course.began,
                    story: course.story))
            return true
        }
        if let ready = sight.ready {
            course.note("is \(ready) \(sight.owner == nil ? "without" : "with") an owner")
            if let holder = sight.struckHolder, course.struck.insert(holder).inserted {
                course.begin(at: now, up, "was handed to \(holder), which is struck")
            }
        } else if sight.delayedUntil != nil {
            // As promised, after several owners that died without getting anything done.
            course.begin(at: now, up, "is put off")
        } else {
            return true
        }
        return false
    }

    private func look(at sessions: [String]) async throws -> [Sight] {
        let commands: [[RedisArgument]] = sessions.map {
            ["HMGET", .text(installation.key("session", of: $0)), "ready", "owner", "delayedUntil"]
        }
        var sights = try await installation.redis.withClient { client in
            try await client.pipeline(commands).map { reply in
                let fields = (reply.array ?? []).map(\.text)
                guard fields.count == 3 else { throw NotInTime("\(reply)") }
                return Sight(ready: fields[0], owner: fields[1], delayedUntil: fields[2])
            }
        }
        for (index, session) in sessions.enumerated() where sights[index].owner == nil {
            guard let ready = sights[index].ready else { continue }
            sights[index].struckHolder = try await workers.struckHolder(of: session, ready)
        }
        return sights
    }
}
