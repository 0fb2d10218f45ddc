import ArgusCore
import ArgusTestSupport
import Testing

extension Installation {
    /// Every event of the session that this client may see, each once and in order, up to the last that it heard.
    func expectWhole(_ tape: EventTape, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let ids = tape.heard.map(\.id)
        let stored = try await events(of: tape.session)
        guard let last = ids.last else {
            Issue.record("nothing was heard of \(tape.session)", sourceLocation: sourceLocation)
            return
        }
        let own = Set(ids)
        let expected = stored.filter { $0.id > tape.after && $0.id <= last && ($0.to == nil || own.contains($0.id)) }
        #expect(ids == expected.map(\.id), sourceLocation: sourceLocation)
        // Of a turn that was cut off, only a part was ever said.
        let completed = tape.heard("turn/completed").filter { $0.params?["turn"]?["status"]?.string == "completed" }
        let whole = Set(completed.compactMap { $0.params?["turn"]?["id"]?.string })
        for (turn, text) in tape.streamed where tape.after == .zero && whole.contains(turn) {
            #expect(tape.messages.contains(text), "of \(turn): \(text.prefix(200))", sourceLocation: sourceLocation)
        }
    }
}

extension EventTape {
    /// Sends an input again and again with its key until it is acknowledged.
    func enqueueUntilAcknowledged(_ text: String, chat: String, key: String) async throws {
        let started = ContinuousClock.now
        while ContinuousClock.now - started < .seconds(160) {
            let request = try await enqueue(text, chat: chat, key: key)
            if try await answer(to: request, within: .seconds(40)).result?["ok"]?.bool == true { return }
        }
        throw NotInTime("“\(text)” was not acknowledged")
    }
}
