import ArgumentParser
import ArgusChat
import ArgusCore
import ArgusQueue
import ArgusService

struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Show what waits, runs and was given up on; put a dead letter back, or drop it.",
        subcommands: [ListCommand.self, DeadCommand.self, ReplayCommand.self, DropCommand.self],
        defaultSubcommand: ListCommand.self)

    struct ListCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Sessions with their inputs, the age of the oldest, running turns; and the dead letters.")

        @OptionGroup(title: "Redis") var redis: RedisOptions
        @Option(name: .setting(.home), help: .setting(.home, shows: "dir")) var home: String?

        func run() async throws {
            try await RedisQuestion.ask(redis, home: home) { queue, _ in print(try await QueueReport.make(queue)) }
        }
    }

    struct DeadCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "dead", abstract: "List the dead letters.")

        @OptionGroup(title: "Redis") var redis: RedisOptions
        @Option(name: .setting(.home), help: .setting(.home, shows: "dir")) var home: String?

        func run() async throws {
            try await RedisQuestion.ask(redis, home: home) { queue, _ in
                let letters = try await queue.deadLetters()
                if letters.isEmpty { print("no dead letters") }
                for letter in letters { print(letter.line) }
            }
        }
    }

    struct ReplayCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "replay", abstract: "Put a dead letter back where it came from, at the end.")

        @Argument(help: "Its name, as `argus queue dead` shows it.") var name: String
        @OptionGroup(title: "Redis") var redis: RedisOptions
        @Option(name: .setting(.home), help: .setting(.home, shows: "dir")) var home: String?

        func run() async throws {
            let letter = try LetterName(name)
            try await RedisQuestion.ask(redis, home: home) { queue, _ in
                try letter.report(try await queue.replay(shard: letter.shard, id: letter.id))
            }
        }
    }

    struct DropCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "drop", abstract: "Forget a dead letter for good.")

        @Argument(help: "Its name, as `argus queue dead` shows it.") var name: String
        @OptionGroup(title: "Redis") var redis: RedisOptions
        @Option(name: .setting(.home), help: .setting(.home, shows: "dir")) var home: String?

        func run() async throws {
            let letter = try LetterName(name)
            try await RedisQuestion.ask(redis, home: home) { queue, _ in
                try letter.report(try await queue.drop(shard: letter.shard, id: letter.id))
            }
        }
    }
}

extension DeadLetter {
    /// For a terminal: what others wrote in it can't do anything there.
    var line: String {
        let text = "\(name)  \(what) of \(session): \(reason)"
        return TerminalText.oneLine(text, limit: 500)
    }
}

/// `<shard>/<id>`.
struct LetterName: Sendable {
    let shard: Int
    let id: StreamID

    init(_ text: String) throws {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let shard = Int(parts[0]), let id = StreamID(parts[1]) else {
            throw ValidationError(
                "\(text) is not the name of a dead letter; `argus queue dead` lists them (0/1700000000000-0)")
        }
        self.shard = shard
        self.id = id
    }

    func report(_ result: ReplayResult) throws {
        switch result {
        case .replayed: print("put back")
        case .dropped: print("dropped")
        case .gone: throw ArgusError(.notFound, "there is no such dead letter any more")
        case .unknown: throw ArgusError(.notFound, "its session was deleted, so it can only be dropped")
        case .empty: throw ArgusError(.invalidArgument, "there is nothing in it to put back; drop it")
        }
    }
}
