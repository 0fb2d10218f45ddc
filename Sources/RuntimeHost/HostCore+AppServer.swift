import ArgusAppServer
import ArgusCore
import ArgusService
import Foundation
import NIOCore

/// The app-server's life.
///
///     down ──▶ starting ──initialize answered──▶ up ──stdout at its end and process gone──▶ down
///      ▲           └──ended, 60 s──▶ failed ──┐                                              │
///      └────────────────── backoff ───────────┴──────────────────────────────────────────────┘
extension HostCore {
    static let initializeDeadline = TimeAmount.seconds(60)
    /// How long output may go on after the process is gone, if an escaped grandchild holds the pipe.
    static let outputDeadline = TimeAmount.seconds(2)

    var process: AppServerProcess? {
        switch runtime {
        case .down: nil
        case .starting(let process): process
        case .up(let process, _): process
        }
    }

    func startRuntime() {
        guard !isStopping else { return }
        runtime = .starting(nil)
        splitter = LineSplitter(limit: configuration.lineLimitBytes)
        errorTail.clear()
        endReason = nil
        isOutputAtEnd = false
        isOutputPaused = false
        deafReason = nil
        memoryKills = MemoryKills.count()
        let handlers = AppServerProcess.Handlers(
            input: InputHandler(self), output: OutputHandler(self), error: ErrorHandler(self))
        do {
            let marker = configuration.marker + Cursor.host(of: machine.generation)
            try AppServerProcess.start(
                configuration, marker: marker, waiter: waiter, loop: loop, handlers: handlers
            )
            .assumeIsolated().whenComplete { result in
                switch result {
                case .success(let process): self.spawned(process.value)
                case .failure(let error): self.startFailed("\(error)")
                }
            }
        } catch {
            startFailed("\(error)")
        }
    }

    private func spawned(_ process: AppServerProcess) {
        runtime = .starting(process)
        process.ended.assumeIsolated().whenSuccess { self.ended(process, $0) }
        if isStopping { process.stop() }
        var hello = RPCMessage.request(
            id: "0", method: "initialize",
            params: [
                "clientInfo": ["name": "argus", "title": "Argus", "version": .string(ArgusVersion.current)],
                "capabilities": ["experimentalApi": true],
            ])
        hello.writeInteger(UInt8(ascii: "\n"))
        process.input.writeAndFlush(hello, promise: nil)
        loop.assumeIsolated().scheduleTask(in: Self.initializeDeadline) {
            guard case .starting(let current) = self.runtime, current === process else { return }
            self.logger.error("the app-server does not answer initialize, so it is stopped")
            process.stop()
        }
    }

    /// From stdout.
    func received(_ bytes: ByteBuffer) {
        splitter.append(bytes)
        drainOutput()
    }

    /// Takes lines as long as there is room for them.
    func drainOutput() {
        while !machine.journal.isFull {
            guard let line = splitter.next() ?? (isOutputAtEnd ? splitter.finish() : nil) else {
                if isOutputPaused { pauseOutput(false) }
                finishIfEnded()
                return
            }
            take(line)
        }
        if !isOutputPaused { pauseOutput(true) }
        // Who stops doesn't wait for the worker to make room.
        if isStopping { finishIfEnded() }
    }

    private func pauseOutput(_ isPaused: Bool) {
        isOutputPaused = isPaused
        _ = process?.output.setOption(.autoRead, value: !isPaused)
        if !isPaused, endReason != nil { limitLastOutput() }
    }

    private func take(_ line: LineSplitter.Line) {
        guard case .starting(let process?) = runtime, case .line(let bytes) = line,
            let message = try? RPCMessage(bytes), message.kind == .response, message.id?.int == 0
        else {
            FaultPoint.reach(Self.isAnswer(line) ? .answerBefore : .journalBefore)
            machine.output(line)
            FaultPoint.reach(Self.isAnswer(line) ? .answerAfter : .journalAfter)
            return
        }
        guard let result = message.result else {
            logger.error("the app-server refused initialize", metadata: ["answer": "\(message.root.text.prefix(1000))"])
            process.stop()
            return
        }
        runtime = .up(process, since: .now())
        var initialized = RPCMessage.notification(method: "initialized", params: [:])
        initialized.writeInteger(UInt8(ascii: "\n"))
        process.input.writeAndFlush(initialized, promise: nil)
        perform(machine.started(initialize: result.text, process: Int(process.pid)))
        logger.info("app-server runs", metadata: ["generation": "\(machine.generation)", "pid": "\(process.pid)"])
    }

    private static func isAnswer(_ line: LineSplitter.Line) -> Bool {
        guard case .line(let bytes) = line else { return false }
        return (try? RPCMessage(bytes))?.kind == .response
    }

    /// Stdout has ended: nothing more can come, whether the process lives or not.
    func outputEnded() {
        isOutputAtEnd = true
        process?.stop()
        drainOutput()
        pump()
    }

    private func ended(_ process: AppServerProcess, _ reason: String) {
        endReason = deafReason ?? MemoryKills.explain(reason, before: memoryKills, after: MemoryKills.count())
        process.input.close(promise: nil)
        if isOutputAtEnd {
            drainOutput()
            pump()
            return
        }
        limitLastOutput()
    }

    /// The process is gone: what is in the pipe is read, but nobody waits for a stranger that holds it open.
    private func limitLastOutput() {
        guard let process else { return }
        loop.assumeIsolated().scheduleTask(in: Self.outputDeadline) {
            // While the journal is full the rest of the output waits in the pipe for as long as it takes.
            guard self.process === process, !self.isOutputPaused || self.isStopping else { return }
            process.output.close(promise: nil)
        }
    }

    /// The process is gone and all it said is taken.
    private func finishIfEnded() {
        guard let reason = endReason, isOutputAtEnd || isStopping else { return }
        endReason = nil
        switch runtime {
        case .up(_, let since):
            runtime = .down
            machine.ended(reason: reason)
            logger.warning("app-server ended", metadata: ["reason": "\(reason)"])
            let life = (NIODeadline.now() - since).nanoseconds / 1_000_000
            restart(in: backoff.ended(after: Int(life)))
        case .starting, .down:
            let shown = String(buffer: errorTail).trimmingCharacters(in: .whitespacesAndNewlines)
            startFailed(
                "`\(configuration.runtimeCommand)` ended with \(reason) before it answered initialize"
                    + (shown.isEmpty ? "" : "; it wrote: \(shown)") + ". Check ARGUS_RUNTIME_CMD.")
        }
    }

    private func startFailed(_ reason: String) {
        runtime = .down
        guard !isStopping else {
            done.succeed()
            return
        }
        logger.error("the app-server cannot be started", metadata: ["reason": "\(reason)"])
        perform(machine.failed(reason: reason))
        restart(in: backoff.failed())
    }

    private func restart(in milliseconds: Int) {
        guard !isStopping else {
            done.succeed()
            return
        }
        guard milliseconds > 0 else { return startRuntime() }
        loop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(milliseconds))) { self.startRuntime() }
    }

    /// Stops the app-server in order; `done` follows.
    func stop() {
        guard !isStopping else { return }
        isStopping = true
        switch runtime {
        case .down: done.succeed()
        // Spawned in this moment: `spawned` stops it.
        case .starting(nil): break
        case .starting(let process?), .up(let process, _):
            process.stop()
            // Nobody waits for its last words any longer than the deadline.
            if isOutputPaused { process.output.close(promise: nil) }
        }
    }

    func wroteError(_ bytes: ByteBuffer) {
        // A full disk costs the log its words and no more: a FileHandle would end the process.
        bytes.withUnsafeReadableBytes { _ = Foundation.write(STDERR_FILENO, $0.baseAddress, $0.count) }
        log.wrote(bytes.readableBytes)
        errorTail.writeImmutableBuffer(bytes)
        let surplus = errorTail.readableBytes - 1000
        if surplus > 0 {
            errorTail.moveReaderIndex(forwardBy: surplus)
            errorTail.discardReadBytes()
        }
    }
}
