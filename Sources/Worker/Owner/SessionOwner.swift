import ArgusAppServer
import ArgusCore
import ArgusQueue
import ArgusRedis
import Foundation
import Logging
import NIOCore
import NIOPosix

/// Owns one session for as long as this worker holds its live entry: reads its inbox, keeps the link to its runtime
/// host, lets the machine decide, writes to Redis, then sends.
///
///     claimed ──▶ inbox read whole ──▶ link up ──▶ ( mail → machine → commit → send )* ──▶ released │ lost │ removed
///
/// One task, one loop: what arrives while a commit is under way is dealt with together in the next round.
package struct SessionOwner: Sendable {
    package enum Ending: Sendable {
        case released, lost, removed
    }

    package let session: SessionID
    package let token: FencingToken
    package let mailbox: Mailbox
    let queue: SessionQueue
    let presence: ArgusQueue.Presence
    let driver: any RuntimeDriver
    let settings: SessionSettings
    let linkSettings: LinkSettings
    let metrics: WorkerMetrics
    let logger: Logger

    /// How long a session that owes nothing stays with its owner, in case more comes.
    private static let linger = Duration.seconds(5)
    private static let inboxBatch = 256

    package func run(_ claim: Claim) async -> Ending {
        let machine = SessionMachine(session: session, settings: settings, claim: claim, now: .now)
        let keeper = LinkKeeper(
            request: RuntimeRequest(
                session: session, token: token, secret: claim.secret,
                createdAtMilliseconds: claim.createdAtMilliseconds),
            driver: driver, mailbox: mailbox, settings: linkSettings, logger: logger)
        keeper.cursor.withLockedValue { $0 = claim.cursor.flatMap { Cursor($0) } }
        return await withTaskGroup { group in
            let round = OwnerRound(owner: self, machine: machine, revision: claim.revision)
            // What the runtime says can only be understood with the whole inbox at hand.
            await round.begin(claim)
            group.addTask { await keeper.run() }
            let ending = await round.run(keeper, idleAfter: Self.linger)
            group.cancelAll()
            return ending
        }
    }

    static var inboxBatchCount: Int { inboxBatch }
}

/// The loop of one ownership, and what it remembers from round to round. An object, for a struct would lie in the frame
/// of each function that waits, several times for each session owned.
final class OwnerRound {
    let owner: SessionOwner
    var machine: SessionMachine
    var revision: Int
    private var link: RuntimeLink?
    private var restingSince: ContinuousClock.Instant?
    private var hasLost = false
    private var isStopping = false
    /// Redis had no room for what the machine holds. Tried again with each tick, or with what it takes all the same.
    private var isFull = false
    /// What the runtime said and Redis has not. Not more of it than a mailbox holds.
    private var heldBytes = 0
    private var holdsTooMuch: Bool { heldBytes > Mailbox.frameLimitBytes }
    private var lookedAtClients = ContinuousClock.now
    /// Longer than the presence of an ingress lives, so that one which is just reconnecting is not taken for dead.
    private static let clientCheck = Duration.seconds(7)

    init(owner: SessionOwner, machine: SessionMachine, revision: Int) {
        self.owner = owner
        self.machine = machine
        self.revision = revision
    }

    func run(_ keeper: LinkKeeper, idleAfter linger: Duration) async -> SessionOwner.Ending {
        while true {
            await flush(keeper)
            // Fenced, or a commit's answer was lost: who claims it next reads all of it from Redis.
            if hasLost { return await release() }
            if machine.isRemoved { return await remove() }
            let mail = await owner.mailbox.next()
            if mail.isLost { return .lost }
            if mail.isStopping || Task.isCancelled {
                isStopping = true
                await flush(keeper)
                return await release()
            }
            if let highest = mail.outranked { return await release(above: highest) }
            await take(mail)
            if let ending = await rest(linger, isTick: mail.isTick) { return ending }
        }
    }

    /// Takes what the claim brought, and the rest of the inbox if there is one.
    func begin(_ claim: Claim) async {
        stamp()
        for (id, entry) in claim.inbox { machine.handle(id, entry) }
        guard claim.hasMore else { return }
        while await !readInbox(), !mustLetGo { continue }
    }

    private func take(_ mail: Mail) async {
        stamp()
        for change in mail.link {
            switch change {
            case .up(let link): self.link = link
            case .down(let reason):
                link = nil
                machine.linkLost(reason)
            }
        }
        for frame in mail.frames { machine.handle(frame) }
        heldBytes += mail.bytes
        if mail.isWoken || mail.lastInbox.map({ $0 > machine.inboxCursor }) == true { _ = await readInbox() }
        if mail.isTick {
            isFull = false
            machine.tick()
            await dropDeadClients()
        }
    }

    private func stamp() {
        machine.now = .now
        machine.wallClock = Int(Date().timeIntervalSince1970 * 1000)
    }

    /// Reads what the inbox holds beyond the cursor.
    /// - Returns: false if Redis did not answer; the next wake or renewal tries again.
    private func readInbox() async -> Bool {
        stamp()
        while true {
            do {
                let entries = try await owner.queue.inbox(
                    owner.session, after: machine.inboxCursor, count: SessionOwner.inboxBatchCount)
                for (id, entry) in entries { machine.handle(id, entry) }
                if entries.count < SessionOwner.inboxBatchCount { return true }
            } catch {
                owner.mailbox.signal { $0.isWoken = true }
                // A Redis that refuses at once must not make a busy loop.
                try? await Task.sleep(for: .milliseconds(100))
                return false
            }
        }
    }

    /// Clients of an ingress that died without a word are closed in its place.
    private func dropDeadClients() async {
        guard !machine.clients.isEmpty, .now - lookedAtClients > Self.clientCheck else { return }
        lookedAtClients = .now
        let ingresses = Set(machine.clients.map(\.ingress))
        guard let alive = try? await owner.presence.alive(ingresses: ingresses) else { return }
        for client in machine.clients where !alive.contains(client.ingress) {
            let entry = InboxEntry(kind: .close, fields: ["client": ByteBuffer(string: client.rawValue)])
            _ = try? await owner.queue.enqueue(
                owner.session, entry, dedupe: "close:\(client):\(RandomHex.make(bytes: 4))")
        }
    }

    /// Writes the effects, then sends, until nothing is left to do.
    private func flush(_ keeper: LinkKeeper) async {
        while machine.hasOutput, !isFull || machine.mustNotWait || holdsTooMuch {
            let output = machine.takeOutput()
            var sends = output.sends
            if !output.effects.isEmpty || output.cursor != nil {
                switch await commit(output) {
                case .written: (isFull, heldBytes) = (false, 0)
                case .full:
                    // A turn's end may be behind it, and takes it along.
                    isFull = true
                    return machine.putBack(output)
                case .lost:
                    hasLost = true
                    return
                }
                if let cursor = output.cursor.flatMap({ Cursor($0) }) {
                    keeper.cursor.withLockedValue { $0 = cursor }
                    sends.append(.acknowledge(sequence: cursor.sequence))
                }
            }
            link?.send(sends)
            machine.sent()
        }
    }

    private enum Commitment {
        case written, full
        /// The session is no longer ours, or has to be let go of.
        case lost
    }

    /// Also while there is no time for the mail that says so.
    private var mustLetGo: Bool { isStopping || Task.isCancelled || owner.mailbox.mustLetGo }

    private func commit(_ output: SessionMachine.Output) async -> Commitment {
        var delay = Duration.milliseconds(20)
        var kind = output.mustNotFail ? CommitKind.settle : .publish
        var isUncertain = false
        var isLastTry = false
        while true {
            do {
                FaultPoint.reach(output.faultPoints.before)
                let began = ContinuousClock.now
                let result = try await owner.queue.commit(
                    owner.session, owner.token, revision: revision, cursor: output.cursor,
                    effects: output.effects, kind: kind)
                FaultPoint.reach(output.faultPoints.after)
                owner.metrics.commitSeconds.observe(.now - began)
                switch result {
                case .committed(let ids):
                    owner.metrics.count(output.milestones)
                    revision += 1
                    machine.committed(requestIDs: requestIDs(output.effects, ids))
                    return .written
                case .fenced:
                    owner.logger.notice("owner fenced", metadata: ["session": "\(owner.session)"])
                    return .lost
                case .stale(let current, _):
                    // The answer to an earlier try was lost. Its event ids are lost with it, and the machine needs them
                    // for open questions: another owner, or this worker's next claim, reads them from Redis.
                    guard current == revision + 1, !hasRequests(output.effects) else { return .lost }
                    owner.metrics.count(output.milestones)
                    revision += 1
                    return .written
                case .full:
                    owner.logger.error("redis is full", metadata: ["session": "\(owner.session)"])
                    if !isUncertain, !holdsTooMuch { return .full }
                    // Where a try before this one may have been written, only the very same can tell. And who holds so
                    // much reads no more, nor a turn's end: events are bounded, so they are written anyway.
                    kind = .settle
                }
            } catch {
                isUncertain = true
                owner.logger.warning(
                    "commit failed, trying again", metadata: ["session": "\(owner.session)", "error": "\(error)"])
            }
            if isLastTry { return .lost }
            isLastTry = mustLetGo
            if isLastTry { continue }
            // By the clock, since a Redis that is away or full does not say when that changes.
            try? await Task.sleep(for: delay)
            delay = min(delay * 2, .milliseconds(500))
        }
    }

    private func hasRequests(_ effects: [Effect]) -> Bool {
        effects.contains { if case .request = $0 { true } else { false } }
    }

    private func requestIDs(_ effects: [Effect], _ ids: [StreamID?]) -> [StreamID] {
        zip(effects, ids).compactMap { effect, id in
            if case .request = effect { id } else { nil }
        }
    }

    private func rest(_ linger: Duration, isTick: Bool) async -> SessionOwner.Ending? {
        guard machine.owesNothing, !machine.hasOutput else {
            restingSince = nil
            return nil
        }
        guard let since = restingSince else {
            restingSince = .now
            return nil
        }
        guard isTick, .now - since > linger else { return nil }
        return await release()
    }

    /// - Parameter highest: a token that the runtime host knows and ours is below (Redis lost its newest writes): the
    ///   next one must be above it.
    private func release(above highest: StreamID? = nil) async -> SessionOwner.Ending {
        do {
            FaultPoint.reach(.releaseBefore)
            _ = try await owner.queue.release(owner.session, owner.token, above: highest)
            FaultPoint.reach(.releaseAfter)
            return .released
        } catch {
            owner.logger.warning("release failed", metadata: ["session": "\(owner.session)", "error": "\(error)"])
            return .lost
        }
    }

    private func remove() async -> SessionOwner.Ending {
        do {
            try await owner.driver.remove(owner.session)
            _ = try await owner.queue.remove(owner.session, owner.token)
            return .removed
        } catch {
            owner.logger.error("removal failed", metadata: ["session": "\(owner.session)", "error": "\(error)"])
            return .lost
        }
    }
}
