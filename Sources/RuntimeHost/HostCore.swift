import ArgusAppServer
import ArgusCore
import Foundation
import Logging
import NIOCore
import NIOPosix

/// Joins the machine with sockets and the process. Everything in it runs on one event loop: what the app-server writes
/// is in the worker's socket in the same turn of the loop.
///
///     stdout ──▶ splitter ──▶ machine's journal ──▶ controller's socket      (journal full: stdout is not read)
///     controller's socket ──▶ machine ──▶ stdin                              (stdin full: the socket is not read)
///
/// `@unchecked Sendable`: it is handed to channel initializers, but touched on its loop only; entry points check that.
final class HostCore: @unchecked Sendable {
    /// Connections that haven't attached: so many, so long.
    private static let strangerLimit = 64
    private static let strangerDeadline = TimeAmount.seconds(5)
    /// One write to the worker.
    private static let batchBytes = 256 << 10

    enum Runtime {
        case down
        case starting(AppServerProcess?)
        case up(AppServerProcess, since: NIODeadline)
    }

    let configuration: RuntimeHostConfiguration
    let loop: any EventLoop
    let waiter: NIOThreadPool
    let logger: Logger
    let done: EventLoopPromise<Void>
    private let files: HostFiles
    private let workspace: Workspace
    var machine: HostMachine
    var runtime = Runtime.down
    var splitter: LineSplitter
    var backoff = RestartBackoff()
    var errorTail = ByteBuffer()
    var log: HostLog
    var isOutputPaused = false
    /// Why it was ended, where the host did it.
    var deafReason: String?
    /// Why the process ended; set before its last output is read.
    var endReason: String?
    /// When the app-server was started.
    var memoryKills: Int?
    var isOutputAtEnd = false
    var isStopping = false
    private var connections: [Int: any Channel] = [:]
    private var nextConnection = 1
    private var ticking: RepeatedTask?

    init(
        _ configuration: RuntimeHostConfiguration, files: HostFiles, loop: any EventLoop, waiter: NIOThreadPool,
        logger: Logger
    ) throws(ArgusError) {
        self.configuration = configuration
        self.files = files
        self.loop = loop
        self.waiter = waiter
        self.logger = logger
        workspace = Workspace(path: configuration.workspace)
        log = HostLog(configuration.environment["ARGUS_HOST_LOG"])
        done = loop.makePromise()
        machine = HostMachine(
            secret: configuration.secret, host: RandomHex.make(bytes: 4), highestToken: try files.token(),
            journalLimitBytes: configuration.journalLimitBytes)
        splitter = LineSplitter(limit: configuration.lineLimitBytes)
    }

    /// Milliseconds of the loop's clock.
    static var now: Int { Int(NIODeadline.now().uptimeNanoseconds / 1_000_000) }

    func start() {
        loop.preconditionInEventLoop()
        let isInit = getpid() == 1
        ticking = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            let isInputFull = self.process.map { !$0.input.isWritable } ?? false
            self.perform(self.machine.tick(now: Self.now, isInputFull: isInputFull))
            self.log.bound()
            if !self.files.areInPlace {
                self.logger.warning("the files of this session were removed, so its runtime host ends")
                self.stop()
            }
            if isInit { ProcessSweeper.reapOrphans(except: self.process?.pid) }
        }
        startRuntime()
    }

    // MARK: Connections

    /// A number for a new connection; `nil` when too many strangers are here.
    func accept(_ channel: any Channel) -> Int? {
        loop.preconditionInEventLoop()
        let strangers = connections.count - (machine.controllingConnection == nil ? 0 : 1)
        guard strangers < Self.strangerLimit, !isStopping else { return nil }
        let number = nextConnection
        nextConnection += 1
        connections[number] = channel
        loop.assumeIsolated().scheduleTask(in: Self.strangerDeadline) {
            guard self.machine.controllingConnection != number else { return }
            self.connections[number]?.close(promise: nil)
        }
        return number
    }

    func isController(_ connection: Int) -> Bool { machine.controllingConnection == connection }

    func closed(_ connection: Int) {
        connections[connection] = nil
        machine.closed(connection)
    }

    func receive(_ frame: WorkerFrame, from connection: Int) {
        let actions = machine.receive(frame, from: connection, now: Self.now) { token in
            FaultPoint.reach(.tokenBefore)
            try files.remember(token)
            FaultPoint.reach(.tokenAfter)
        }
        perform(actions)
        if case .attach = frame { logger.info("attach", metadata: ["accepted": "\(isController(connection))"]) }
    }

    /// Called after everything that one read brought: writes what is owed, and reads on if there is room again.
    func flush() {
        if isOutputPaused, !machine.journal.isFull { drainOutput() }
        process?.input.flush()
        pump()
    }

    func pump() {
        guard let connection = machine.controllingConnection, let channel = connections[connection] else { return }
        while channel.isWritable, let (_, bytes) = machine.nextFrames(limitBytes: Self.batchBytes) {
            FaultPoint.reach(.deliverBefore)
            channel.writeAndFlush(bytes, promise: nil)
            FaultPoint.reach(.deliverAfter)
        }
    }

    func perform(_ actions: [HostMachine.Action]) {
        for action in actions {
            switch action {
            case .send(let connection, let bytes): connections[connection]?.writeAndFlush(bytes, promise: nil)
            case .close(let connection):
                guard let channel = connections[connection] else { continue }
                channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(promise: nil) }
            case .write(let bytes): write(bytes)
            case .readContext(let connection): readContext(connection)
            case .restart(let reason):
                guard !isStopping else { continue }
                logger.error(
                    "the app-server is deaf, so it is ended and another starts", metadata: ["sign": "\(reason)"])
                deafReason = reason
                process?.stop()
            case .quit:
                logger.info("asked to quit")
                stop()
            }
        }
    }

    private func write(_ bytes: ByteBuffer) {
        guard let input = process?.input else { return }
        FaultPoint.reach(.passBefore)
        input.write(bytes, promise: nil)
        if FaultPoint.isArmed { input.flush() }
        FaultPoint.reach(.passAfter)
        guard !input.isWritable else { return }
        // A flush that the pipe takes at once brings the writability back; only what stays stops the reading.
        input.flush()
        if !input.isWritable { readController(false) }
    }

    func readController(_ isReading: Bool) {
        guard let connection = machine.controllingConnection, let channel = connections[connection] else { return }
        _ = channel.setOption(.autoRead, value: isReading)
    }

    private func readContext(_ connection: Int) {
        let workspace = workspace
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) { workspace.context() }
            .assumeIsolated().whenSuccess { context in
                let frame = HostFrame.context(body: ByteBuffer(bytes: context.bytes))
                self.connections[connection]?.writeAndFlush(frame.encoded, promise: nil)
            }
    }

    func end() {
        ticking?.cancel()
        for channel in connections.values { channel.close(promise: nil) }
    }
}
