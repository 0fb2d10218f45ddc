import Foundation
import Synchronization

/// A named moment in the life of a turn at which a test kills or stops the process that reaches it:
///
///     ARGUS_FAULT=<point>:<kill|stop>:<nth>:<file>
///
/// Whoever reaches the point for the nth time makes the file, with its process id in it, and gets the signal. Where the
/// file is there already nothing happens: so one environment serves all processes of an installation, and one of them
/// dies once. Debug builds only; in release builds nothing is looked at.
package enum FaultPoint: String, CaseIterable, Sendable {
    // A worker: each write to Redis, each write to a runtime host.
    case claimBefore = "worker.claim.before"
    case claimAfter = "worker.claim.after"
    case attachBefore = "worker.attach.before"
    case attachAfter = "worker.attach.after"
    case beginBefore = "worker.begin.before"
    case beginAfter = "worker.begin.after"
    case publishBefore = "worker.publish.before"
    case publishAfter = "worker.publish.after"
    case settleBefore = "worker.settle.before"
    case settleAfter = "worker.settle.after"
    case requestBefore = "worker.request.before"
    case requestAfter = "worker.request.after"
    case acknowledgeBefore = "worker.acknowledge.before"
    case acknowledgeAfter = "worker.acknowledge.after"
    case renewBefore = "worker.renew.before"
    case renewAfter = "worker.renew.after"
    case releaseBefore = "worker.release.before"
    case releaseAfter = "worker.release.after"
    case reapBefore = "worker.reap.before"
    case reapAfter = "worker.reap.after"

    // A scheduler: each look for what is due, and after one that found something.
    case promoteBefore = "scheduler.promote.before"
    case promoteAfter = "scheduler.promote.after"

    // A runtime host: its token on disk, what it passes on, its journal.
    case tokenBefore = "host.token.before"
    case tokenAfter = "host.token.after"
    case passBefore = "host.pass.before"
    case passAfter = "host.pass.after"
    case answerBefore = "host.answer.before"
    case answerAfter = "host.answer.after"
    case journalBefore = "host.journal.before"
    case journalAfter = "host.journal.after"
    case deliverBefore = "host.deliver.before"
    case deliverAfter = "host.deliver.after"

    // An ingress: its clients' way in.
    case enterBefore = "ingress.attach.before"
    case enterAfter = "ingress.attach.after"
    case enqueueBefore = "ingress.enqueue.before"
    case enqueueAfter = "ingress.enqueue.after"

    // An ingress: Telegram, in and out.
    case updateBefore = "telegram.update.before"
    case updateAfter = "telegram.update.after"
    case offsetBefore = "telegram.offset.before"
    case offsetAfter = "telegram.offset.after"
    case chatBefore = "telegram.claim.before"
    case chatAfter = "telegram.claim.after"
    case progressBefore = "telegram.progress.before"
    case progressAfter = "telegram.progress.after"
    case messageBefore = "telegram.send.before"
    case messageAfter = "telegram.send.after"
    case doneBefore = "telegram.done.before"
    case doneAfter = "telegram.done.after"
    case chatReleaseBefore = "telegram.release.before"
    case chatReleaseAfter = "telegram.release.after"

    /// Whether a test waits for a point in this process.
    package static var isArmed: Bool {
        #if DEBUG
            return fault != nil
        #else
            return false
        #endif
    }

    package static func reach(_ point: @autoclosure () -> FaultPoint) {
        #if DEBUG
            guard let fault, point() == fault.point else { return }
            let count = arrivals.withLock { count in
                count += 1
                return count
            }
            if count == fault.nth { fault.strike() }
        #endif
    }

    #if DEBUG
        private static let fault = Fault(ProcessInfo.processInfo.environment["ARGUS_FAULT"])
        private static let arrivals = Mutex(0)

        private struct Fault {
            let point: FaultPoint
            let signal: Int32
            let nth: Int
            let file: String

            init?(_ text: String?) {
                let parts = (text ?? "").split(separator: ":", maxSplits: 3).map(String.init)
                guard parts.count == 4, let point = FaultPoint(rawValue: parts[0]), let nth = Int(parts[2]) else {
                    return nil
                }
                self.point = point
                signal = parts[1] == "kill" ? SIGKILL : SIGSTOP
                self.nth = nth
                file = parts[3]
            }

            func strike() {
                let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
                guard descriptor >= 0 else { return }
                let pid = Array("\(getpid())\n".utf8)
                _ = write(descriptor, pid, pid.count)
                close(descriptor)
                kill(getpid(), signal)
            }
        }
    #endif
}
