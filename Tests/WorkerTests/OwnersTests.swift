import ArgusCore
import ArgusQueue
import Testing

@testable import ArgusWorker

@Suite("The sessions that a worker owns")
struct OwnersTests {
    @Test("A late answer about a lease that is over reaches nobody; the next one reaches its owner")
    func lateAnswer() async throws {
        let session = try #require(SessionID("s1"))
        let first = FencingToken(stream: .ready, id: try #require(StreamID("1-0")))
        let second = FencingToken(stream: .ready, id: try #require(StreamID("2-0")))
        let owners = Owners()
        #expect(owners.add(session, first, Mailbox()))
        let asked = owners.all
        owners.remove(session)
        let mailbox = Mailbox()
        #expect(owners.add(session, second, mailbox))
        owners.tell([session: .lost], of: asked)
        owners.tell([session: .held(newest: second.id)], of: owners.all)
        let mail = await mailbox.next()
        #expect(!mail.isLost && mail.isTick && mail.lastInbox == second.id)
        owners.tell([session: .lost], of: owners.all)
        #expect(await mailbox.next().isLost)
    }
}
