import ArgusCore
import ArgusQueue
import ArgusService
import Glibc
import Logging
import ServiceLifecycle

/// Stops the containers of sessions that have been at rest for long, and sees to those whose session is gone.
///
/// Any number of workers do this at once; each step is harmless when repeated. A container that is stopped in the
/// moment in which its session gets an input is started again by that session's owner.
struct ContainerSweeper: Service {
    let docker: DockerConfiguration
    let pool: String
    let idleTimeout: Duration?
    let client: DockerClient
    let queue: SessionQueue
    let installation: @Sendable () async throws -> String
    let logger: Logger
    var interval = Duration.seconds(30)
    /// Seconds. A younger container may be of a session whose keys are still on their way to a replica.
    var orphanAge = 120

    func run() async throws {
        // Nothing of it is worth keeping a worker that is asked to stop.
        try? await cancelWhenGracefulShutdown { try await sweep() }
    }

    private func sweep() async throws {
        var watch = IdleWatch(limit: idleTimeout)
        var told: Set<String> = []
        var isTold = false
        while !Task.isCancelled {
            do {
                try await round(&watch, &told)
                isTold = false
            } catch is CancellationError {
                return
            } catch {
                // Once, and first when the worker starts: a person who set it up wrong learns of it there.
                logger.log(
                    level: isTold ? .debug : .warning, "looking at containers failed", metadata: ["error": "\(error)"])
                isTold = true
            }
            // What is idle or orphaned is so by the clock.
            try await Task.sleep(for: min(interval, idleTimeout.map { $0 / 4 } ?? interval))
        }
    }

    /// - Parameter told: the containers whose removal was advised already.
    func round(_ watch: inout IdleWatch, _ told: inout Set<String>) async throws {
        try await queue.redis.waitUntilReady()
        let labels = [(ContainerSpec.installationLabel, try await installation()), (ContainerSpec.poolLabel, pool)]
        let reply = try await client.send(.list(labels: labels), within: .seconds(30))
        guard reply.isSuccess else { throw EngineMessage(text: reply.message) }
        let containers = ListedContainer.rows(try reply.json())
        watch.forgetAll(but: Set(containers.map(\.session)))
        // Read after the list: a session that is not there now has no worker that could have made its container since.
        for container in containers {
            guard let record = try await queue.session(container.session) else {
                try await orphan(container, &told)
                continue
            }
            guard container.isRunning, watch.isDue(record, now: .now) else { continue }
            let stopped = try await client.send(.stop(container.id, seconds: 10), within: .seconds(30))
            logger.info(
                "idle container stopped",
                metadata: [
                    "session": "\(container.session)", "answer": "\(stopped.isSuccess ? "ok" : stopped.message)",
                ])
        }
    }

    private func orphan(_ container: ListedContainer, _ told: inout Set<String>) async throws {
        guard docker.orphans != .off, WallClock.seconds - container.created >= orphanAge else { return }
        guard docker.orphans == .delete else {
            if told.insert(container.id).inserted {
                logger.notice(
                    "container of no session; ARGUS_GC_DELETE_ORPHAN_RUNTIMES=delete would remove it",
                    metadata: ["container": "\(container.name)"])
            }
            return
        }
        let reply = try await client.send(.remove(container.id), within: .seconds(30))
        logger.notice(
            "container of no session removed",
            metadata: ["container": "\(container.name)", "answer": "\(reply.isSuccess ? "ok" : reply.message)"])
    }
}

/// Knows since when each session has been at rest without a change. Pure.
struct IdleWatch {
    private struct Rest: Equatable {
        let revision: String?
        let token: String?
        let lastEntry: String?
    }

    let limit: Duration?
    private var resting: [SessionID: (rest: Rest, since: ContinuousClock.Instant)] = [:]

    init(limit: Duration?) {
        self.limit = limit
    }

    mutating func isDue(_ record: SessionRecord, now: ContinuousClock.Instant) -> Bool {
        guard let limit else { return false }
        guard record.resting, record.depth == 0, record.runningLanes == 0 else {
            resting[record.id] = nil
            return false
        }
        func text(_ field: String) -> String? { record.fields[field].map { String(buffer: $0) } }
        let rest = Rest(revision: text("revision"), token: text("lastToken"), lastEntry: text("lastEntry"))
        guard let known = resting[record.id], known.rest == rest else {
            resting[record.id] = (rest, now)
            return false
        }
        return now - known.since >= limit
    }

    mutating func forgetAll(but sessions: Set<SessionID>) {
        resting = resting.filter { sessions.contains($0.key) }
    }
}

enum WallClock {
    static var seconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec
    }
}
