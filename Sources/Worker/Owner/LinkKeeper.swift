import ArgusAppServer
import ArgusCore
import Logging
import NIOConcurrencyHelpers
import NIOCore

package struct LinkSettings: Sendable {
    package let lineLimitBytes: Int
    package let firstBackoff: Duration
    package let longestBackoff: Duration

    package init(
        lineLimitBytes: Int, firstBackoff: Duration = .milliseconds(50), longestBackoff: Duration = .seconds(2)
    ) {
        self.lineLimitBytes = lineLimitBytes
        self.firstBackoff = firstBackoff
        self.longestBackoff = longestBackoff
    }
}

/// Keeps the link to a session's runtime host up for as long as the session is owned.
///
///     connect ──▶ attach(token, secret, cursor) ──welcome──▶ up ──closed after 1 s──▶ connect
///        ▲              └──refused: the owner is told            └──sooner──┐
///        └───────────────────────────backoff────────────────────────────────┘
final class LinkKeeper: Sendable {
    /// The last line that Redis knows of: what the host is asked to go on from.
    let cursor = NIOLockedValueBox<Cursor?>(nil)
    /// A link that was up for so long is made again at once.
    private static let steady = Duration.seconds(1)
    private let request: RuntimeRequest
    private let driver: any RuntimeDriver
    private let mailbox: Mailbox
    private let settings: LinkSettings
    private let logger: Logger

    init(
        request: RuntimeRequest, driver: any RuntimeDriver, mailbox: Mailbox, settings: LinkSettings, logger: Logger
    ) {
        self.request = request
        self.driver = driver
        self.mailbox = mailbox
        self.settings = settings
        self.logger = logger
    }

    func run() async {
        var backoff = settings.firstBackoff
        while !Task.isCancelled {
            do {
                let link = try await connect()
                let began = ContinuousClock.now
                await withTaskCancellationHandler {
                    await link.closed()
                } onCancel: {
                    link.close()
                }
                if Task.isCancelled { return }
                mailbox.signal { $0.link.append(.down("the runtime host closed the connection")) }
                if .now - began > Self.steady {
                    backoff = settings.firstBackoff
                    continue
                }
            } catch is CancellationError {
                return
            } catch {
                logger.warning("link failed", metadata: ["session": "\(request.session)", "error": "\(error)"])
                mailbox.signal { mail in
                    mail.link.append(.down("\(error)"))
                    if let refused = error as? LinkRefused, let highest = refused.highest { mail.outranked = highest }
                }
            }
            // By the clock, since a host that is not there, refuses, or drops the link says nothing when that changes.
            try? await Task.sleep(for: backoff)
            backoff = min(backoff * 2, settings.longestBackoff)
        }
    }

    private func connect() async throws -> RuntimeLink {
        let box = NIOLockedValueBox<(link: RuntimeLink, verdict: EventLoopFuture<Void>)?>(nil)
        var logger = logger
        logger[metadataKey: "session"] = "\(request.session)"
        let channel = try await driver.connect(request) { [mailbox, settings, logger] channel in
            channel.eventLoop.makeCompletedFuture {
                let verdict = channel.eventLoop.makePromise(of: Void.self)
                let link = RuntimeLink(channel: channel)
                box.withLockedValue { $0 = (link, verdict.futureResult) }
                try channel.pipeline.syncOperations.addHandler(
                    RuntimeLinkHandler(
                        mailbox: mailbox, link: link, lineLimit: settings.lineLimitBytes + 4096, verdict: verdict,
                        logger: logger))
            }
        }
        guard let (link, verdict) = box.withLockedValue({ $0 }) else {
            throw ArgusError(.internal, "the runtime driver returned a channel that it did not configure")
        }
        guard let secret = Secret(request.secret) else {
            throw ArgusError(.internal, "the session has no link secret: delete it and start a new one")
        }
        let from = cursor.withLockedValue { $0 }
        FaultPoint.reach(.attachBefore)
        link.send([.attach(token: request.token.id, secret: secret, cursor: from)])
        do {
            // A host whose app-server does not start says nothing for as long as that takes.
            try await withTaskCancellationHandler {
                try await verdict.get()
            } onCancel: {
                channel.close(promise: nil)
            }
            FaultPoint.reach(.attachAfter)
        } catch {
            channel.close(promise: nil)
            throw Task.isCancelled ? CancellationError() : error
        }
        return link
    }
}
