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
        for (turn, text) in tape.streamed {
            #expect(
                tape.messages.contains { $0.hasPrefix(text) },
                "the deltas of \(turn) make “\(text.prefix(200))”, which no message begins with",
                sourceLocation: sourceLocation)
        }
    }
}
