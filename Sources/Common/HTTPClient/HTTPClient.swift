import Foundation
import ServiceLifecycle

/// Requests to services on the internet, over libcurl.
///
/// One thread drives all transfers (`TransferLoop`); callers only put into its inbox. Proxies come from the
/// environment as libcurl reads it: `https_proxy`, `http_proxy` (lower case only), `all_proxy`, `no_proxy`.
/// Connections are kept and reused. Redirects are not followed: an API that redirects is misconfigured, and a token in
/// the path must not travel to another host.
///
///     send ──> inbox ──> transfer ──> answer | error
///                │           │
///                └── cancel ─┘   (the task's cancellation; the transfer is dropped at once)
package final class HTTPClient: Service {
    /// Requests at once, waiting and under way together; one more is `.overloaded`.
    package static let limit = 512

    private let inbox = TransferInbox(limit: HTTPClient.limit)

    package init() {}

    /// Drives transfers until shutdown; then every one still under way ends with `.closed`.
    package func run() async throws {
        let inbox = inbox
        await withTaskCancellationOrGracefulShutdownHandler {
            await withCheckedContinuation { (ended: CheckedContinuation<Void, Never>) in
                // A thread, because libcurl blocks it: neither the pool's threads nor an event loop may wait there.
                let thread = Thread {
                    TransferLoop.run(inbox)
                    ended.resume()
                }
                thread.name = "argus-http"
                thread.start()
            }
        } onCancelOrGracefulShutdown: {
            inbox.close()
        }
    }

    /// The answer, whatever its status.
    ///
    /// Waits for `run()` if it hasn't begun yet.
    /// - Throws: `HTTPClientError`, or `CancellationError` (the request may have had its effect by then).
    package func send(_ request: HTTPRequest) async throws -> HTTPResponse {
        try Task.checkCancellation()
        let id = try inbox.reserve(for: request)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                inbox.start(TransferOrder(id: id, request: request, continuation: continuation))
                // The handler below may have run before there was anything to cancel.
                if Task.isCancelled { inbox.cancel(id) }
            }
        } onCancel: {
            inbox.cancel(id)
        }
    }
}
