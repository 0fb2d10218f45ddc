import ArgusCore
import ArgusService
import Dispatch
import Glibc
import NIOCore
import NIOPosix

/// `argus chat`: the assistant in a terminal, over `/ws` like any other client.
///
/// It comes back by itself when the connection is lost, with the id of the last event it has seen, so nothing is
/// missed and nothing shown twice. With standard input from a pipe it sends one line at a time, prints the answers,
/// and ends after the last one.
package enum Chat {
    package struct Options: Sendable {
        package let address: ChatAddress
        package let token: Secret?
        /// `default` is the installation's main session.
        package let session: String

        package init(address: ChatAddress, token: Secret?, session: String) {
            self.address = address
            self.token = token
            self.session = session
        }
    }

    private static let firstDelay: Duration = .milliseconds(200)
    private static let longestDelay: Duration = .seconds(3)

    /// - Returns: the exit code: 0, or 1 when it could not go on or, from a pipe, when a turn failed.
    package static func run(_ options: Options) async -> Int32 {
        let isInteractive = isatty(STDIN_FILENO) == 1
        let hasColours = isatty(STDOUT_FILENO) == 1 && ProcessFacts.environment["NO_COLOR"] == nil
        let conversation = Conversation(
            isInteractive: isInteractive, style: TerminalStyle(isOn: hasColours), name: RandomHex.make(bytes: 8))
        let (quits, quit) = AsyncStream<Void>.makeStream()
        let terminal = ChatTerminal(conversation) { quit.yield() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await connect(options, terminal) }
            group.addTask { await read(LineInput(), terminal) }
            if isInteractive { group.addTask { await interrupts(terminal) } }
            for await _ in quits { break }
            group.cancelAll()
        }
        return await terminal.result ?? 0
    }

    private static func connect(_ options: Options, _ terminal: ChatTerminal) async {
        var delay = firstDelay
        var wasConnected = false
        while !Task.isCancelled {
            do {
                let socket = try await ChatSocket.connect(
                    options.address, query: await terminal.query(session: options.session), token: options.token)
                let outgoing = await terminal.connected()
                (wasConnected, delay) = (true, firstDelay)
                let closed = try? await socket.run(outgoing: outgoing) { await terminal.receive($0) }
                if Task.isCancelled { return }
                if closed?.code == 1008 {
                    return await terminal.fail(
                        closed?.reason == "Unauthorized"
                            ? "argus chat: the ingress wants a token: set ARGUS_TOKEN to the one it was started with"
                            : "argus chat: \(closed?.reason ?? "refused"). --session default is the main session")
                }
                if closed?.code == 1001, closed?.reason == "Session deleted" {
                    return await terminal.fail("argus chat: this session was deleted; start again for another one")
                }
                await terminal.disconnected()
            } catch  where !wasConnected {
                return await terminal.fail(
                    "argus chat: nothing answers at \(options.address.authority)\(Self.reason(error)). Start it with "
                        + "`argus up`, or name another place with --url")
            } catch {
                delay = min(delay * 2, longestDelay)
            }
            // By the clock, since an ingress that is away announces its return to nobody: asking again is all there is.
            try? await Task.sleep(for: delay)
        }
    }

    /// What the system said, in its short form.
    private static func reason(_ error: any Error) -> String {
        guard let error = error as? NIOConnectionError else { return " (\(error))" }
        guard let system = error.connectionErrors.first?.error as? IOError else { return "" }
        return " (\(String(cString: strerror(system.errnoCode))))"
    }

    private static func read(_ input: LineInput, _ terminal: ChatTerminal) async {
        while true {
            await terminal.waitUntilLineIsWanted()
            guard let line = await input.next(), !Task.isCancelled else { break }
            await terminal.typed(line)
        }
        if !Task.isCancelled { await terminal.inputEnded() }
    }

    private static func interrupts(_ terminal: ChatTerminal) async {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT)
        let (presses, press) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(2))
        source.setEventHandler { press.yield() }
        source.resume()
        defer { source.cancel() }
        for await _ in presses { await terminal.interrupted() }
    }
}
