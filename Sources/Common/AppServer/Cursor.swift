import ArgusCore

/// One life of the app-server: `<8 hex digits of the host>.<n>`.
package struct Generation: Hashable, Sendable, CustomStringConvertible {
    /// Which host counts: sequence numbers grow over the generations of one host and mean nothing to another.
    package let host: String
    package let number: Int

    package init(host: String, number: Int) {
        self.host = host
        self.number = number
    }

    package init?(_ text: some StringProtocol) {
        guard let dot = text.lastIndex(of: "."), dot > text.startIndex,
            let number = Int(text[text.index(after: dot)...]), number >= 0
        else { return nil }
        self.init(host: String(text[..<dot]), number: number)
    }

    package var next: Generation { Generation(host: host, number: number + 1) }
    package var description: String { "\(host).\(number)" }
}

/// How far an output was taken over: the last line's generation and number. Printed `<generation>:<sequence>`.
package struct Cursor: Hashable, Sendable, CustomStringConvertible {
    package let generation: Generation
    package let sequence: Int

    package init(generation: Generation, sequence: Int) {
        self.generation = generation
        self.sequence = sequence
    }

    package init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), let generation = Generation(text[..<colon]),
            let sequence = Int(text[text.index(after: colon)...]), sequence >= 0
        else { return nil }
        self.init(generation: generation, sequence: sequence)
    }

    package var description: String { "\(generation):\(sequence)" }
}

/// Names one thing sent to the app-server, beside the line and not in it: `<inbox entry>.<attempt>.<step>`.
package struct RequestID: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String

    /// No white space, not empty, not `-`: it stands in a frame's header.
    package init?(_ text: some StringProtocol) {
        guard !text.isEmpty, text != "-", text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
        rawValue = String(text)
    }

    package init(entry: StreamID, attempt: Int, step: Int) {
        rawValue = "\(entry).\(attempt).\(step)"
    }

    /// What is forgotten together.
    package var entry: String { String(rawValue.prefix { $0 != "." }) }
    package var description: String { rawValue }
}
