import CCurl

/// The thread that owns all of libcurl's handles. Nothing here is seen by another thread.
final class TransferLoop {
    /// Idle connections that are kept, over all hosts.
    private static let keptConnections = 64
    /// Only an upper bound on one wait: an order, a socket or libcurl's own timers end it earlier.
    private static let pollMilliseconds: Int32 = 60_000

    private static let isInitialized = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    private let inbox: TransferInbox
    private let multi: UnsafeMutableRawPointer
    private var transfers: [UnsafeMutableRawPointer: Transfer] = [:]
    private var handles: [Int: UnsafeMutableRawPointer] = [:]

    /// Runs until the inbox is closed.
    static func run(_ inbox: TransferInbox) {
        guard isInitialized, let multi = curl_multi_init() else {
            inbox.close()
            return
        }
        let loop = TransferLoop(inbox, multi)
        inbox.attach(multi)
        loop.work()
        inbox.detach()
        loop.end()
    }

    private init(_ inbox: TransferInbox, _ multi: UnsafeMutableRawPointer) {
        self.inbox = inbox
        self.multi = multi
        argus_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Self.keptConnections)
    }

    private func work() {
        var running: Int32 = 0
        while true {
            let batch = inbox.take()
            for order in batch.orders { start(order) }
            for id in batch.cancelled { drop(id) }
            if batch.isClosed { return }
            curl_multi_perform(multi, &running)
            collect()
            curl_multi_poll(multi, nil, 0, Self.pollMilliseconds, nil)
        }
    }

    private func start(_ order: TransferOrder) {
        switch Transfer.make(order) {
        case .failure(let error): inbox.finish(order, .failure(error))
        case .success(let transfer):
            transfers[transfer.easy] = transfer
            handles[order.id] = transfer.easy
            curl_multi_add_handle(multi, transfer.easy)
        }
    }

    private func drop(_ id: Int) {
        guard let easy = handles[id], let transfer = remove(easy) else { return }
        inbox.finish(transfer.order, .failure(CancellationError()))
    }

    private func collect() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            let code = message.pointee.data.result
            // The result is read before the handle goes.
            guard let result = transfers[easy]?.result(code), let transfer = remove(easy) else { continue }
            inbox.finish(transfer.order, result)
        }
    }

    private func remove(_ easy: UnsafeMutableRawPointer) -> Transfer? {
        curl_multi_remove_handle(multi, easy)
        guard let transfer = transfers.removeValue(forKey: easy) else { return nil }
        handles[transfer.order.id] = nil
        return transfer
    }

    private func end() {
        for (easy, transfer) in transfers {
            curl_multi_remove_handle(multi, easy)
            inbox.finish(
                transfer.order, .failure(HTTPClientError.closed(transfer.order.request, maybeSent: transfer.maybeSent)))
        }
        transfers = [:]
        for order in inbox.take().orders {
            inbox.finish(order, .failure(HTTPClientError.closed(order.request)))
        }
        curl_multi_cleanup(multi)
    }
}
