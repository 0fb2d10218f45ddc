import NIOCore
import NIOEmbedded
import Testing

@testable import ArgusIngress

@Suite("WebSocket handler")
struct WebSocketHandlerTests {
    /// One socket over an embedded channel. Made and used by one thread.
    struct Fixture {
        let channel = EmbeddedChannel()
        let socket: WebSocket

        init(outboundLimit: Int = 64 << 10, messageLimit: Int = 1 << 20) throws {
            var settings = WebSocketSettings()
            settings.outboundLimit = outboundLimit
            settings.messageLimit = messageLimit
            socket = WebSocket(eventLoop: channel.eventLoop, settings: settings)
            try channel.pipeline.syncOperations.addHandler(WebSocketHandler(socket, settings: settings))
            channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
        }

        func receive(_ frames: ClientFrame...) throws {
            for frame in frames where channel.isActive { try channel.writeInbound(frame.bytes) }
            channel.embeddedEventLoop.run()
        }

        /// All that was written, as frames of a server: opcode and payload.
        func sent() throws -> [(opcode: UInt8, payload: [UInt8])] {
            channel.embeddedEventLoop.run()
            var bytes = ByteBuffer()
            while var part = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeBuffer(&part) }
            var frames: [(UInt8, [UInt8])] = []
            while let first: UInt8 = bytes.readInteger(), let second: UInt8 = bytes.readInteger() {
                let length =
                    switch second {
                    case 126: Int(bytes.readInteger(as: UInt16.self) ?? 0)
                    case 127: Int(bytes.readInteger(as: UInt64.self) ?? 0)
                    default: Int(second)
                    }
                frames.append((first & 0x0F, bytes.readBytes(length: length) ?? []))
            }
            return frames
        }

        func closeCode() throws -> Int? {
            let payload = try sent().last { $0.opcode == 8 }?.payload
            return payload.map { $0.count < 2 ? 0 : Int($0[0]) << 8 | Int($0[1]) }
        }
    }

    @Test("Messages reach the queue in order, and pings are answered")
    func messages() throws {
        let fixture = try Fixture()
        try fixture.receive(.text("1"), ClientFrame(opcode: 9, payload: [7]), .text("2"))
        #expect(fixture.socket.inbound.take()?.map { String(buffer: $0) } == ["1", "2"])
        let sent = try fixture.sent()
        #expect(sent.count == 1 && sent[0].opcode == 10 && sent[0].payload == [7])
    }

    @Test("A client's close is answered with its code, then the connection ends")
    func clientCloses() throws {
        let fixture = try Fixture()
        try fixture.receive(.text("last"), .close(1001, "away"))
        #expect(try fixture.closeCode() == 1001)
        #expect(!fixture.channel.isActive)
        #expect(fixture.socket.inbound.take()?.count == 1)
        #expect(fixture.socket.inbound.take() == [])
    }

    @Test("A protocol error is told, and the connection ends after the grace")
    func protocolError() throws {
        let fixture = try Fixture()
        try fixture.receive(ClientFrame(opcode: 1, payload: [65], isMasked: false))
        #expect(try fixture.closeCode() == 1002)
        try fixture.receive(.text("dropped"))
        #expect(fixture.socket.inbound.take() == [])
        fixture.channel.embeddedEventLoop.advanceTime(by: .seconds(6))
        #expect(!fixture.channel.isActive)
    }

    @Test("Our close goes out after what was queued and waits for the peer's")
    func serverCloses() throws {
        let fixture = try Fixture()
        fixture.socket.send(text: ByteBuffer(string: "bye"))
        fixture.socket.close(.unknownSession)
        fixture.socket.send(text: ByteBuffer(string: "too late"))
        let sent = try fixture.sent()
        #expect(sent.map(\.opcode) == [1, 8])
        #expect(fixture.channel.isActive)
        try fixture.receive(.close(1008))
        #expect(!fixture.channel.isActive)
    }

    @Test("A client that stops reading is closed with 1013 and what it missed is dropped")
    func slowClient() throws {
        let fixture = try Fixture()
        fixture.channel.isWritable = false
        let frame = ByteBuffer.frame(.text, ByteBuffer(repeating: 65, count: 8 << 10))
        for _ in 0..<9 { fixture.socket.send([frame]) }
        fixture.channel.embeddedEventLoop.run()
        #expect(fixture.socket.inbound.take() == [])
        #expect(fixture.socket.outbound.backlog < 256)
        fixture.channel.isWritable = true
        fixture.channel.pipeline.fireChannelWritabilityChanged()
        #expect(try fixture.closeCode() == 1013)
    }

    @Test("One event above the limit does not close a client that reads")
    func largeEvent() throws {
        let fixture = try Fixture()
        fixture.socket.send([.frame(.text, ByteBuffer(repeating: 65, count: 200 << 10))])
        fixture.socket.send([.frame(.text, ByteBuffer(string: "next"))])
        #expect(try fixture.sent().map(\.payload.count) == [200 << 10, 4])
        #expect(!fixture.socket.outbound.isClosing)
    }

    @Test("Unanswered pings close the connection; any sign of life counts")
    func pings() throws {
        let fixture = try Fixture()
        for _ in 0..<5 {
            fixture.channel.embeddedEventLoop.advanceTime(by: .seconds(20))
            try fixture.receive(ClientFrame(opcode: 10))
        }
        #expect(try fixture.sent().map(\.opcode) == [9, 9, 9, 9, 9])
        fixture.channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(try fixture.closeCode() == 1011)
        fixture.channel.embeddedEventLoop.advanceTime(by: .seconds(6))
        #expect(!fixture.channel.isActive)
    }

    @Test("A full inbound queue stops reading until its messages are taken")
    func backPressure() throws {
        let fixture = try Fixture()
        for index in 0..<WebSocketInbound.messageLimit { try fixture.receive(.text("\(index)")) }
        #expect(fixture.socket.inbound.isPaused)
        #expect(fixture.socket.inbound.take()?.count == WebSocketInbound.messageLimit)
        #expect(!fixture.socket.inbound.isPaused)
    }

    @Test("At a shutdown the task is told, and 1012 goes out even if the task hangs")
    func quiesce() throws {
        let fixture = try Fixture()
        fixture.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        #expect(fixture.socket.isQuiescing)
        #expect(fixture.socket.inbound.take() == [])
        #expect(try fixture.closeCode() == nil)
        fixture.channel.embeddedEventLoop.advanceTime(by: .milliseconds(701))
        #expect(try fixture.closeCode() == 1012)
        fixture.channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!fixture.channel.isActive)
    }
}
