/// How far an output was taken over: the last line's generation and number. Printed `<generation>:<sequence>`.
///
/// A generation is one life of the app-server, `<8 hex digits of the host>.<n>`. Sequence numbers grow over the
/// generations of one host and mean nothing to another.
package struct Cursor: Hashable, Sendable, CustomStringConvertible {
    package var generation: String
    package var sequence: Int

    package init(generation: String, sequence: Int) {
        self.generation = generation
        self.sequence = sequence
    }

    package init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":"), let sequence = Int(text[text.index(after: colon)...]),
            sequence >= 0, Self.ordinal(String(text[..<colon])) >= 0
        else { return nil }
        self.init(generation: String(text[..<colon]), sequence: sequence)
    }

    /// Which host counts.
    package var host: String { Self.host(of: generation) }

    package static func host(of generation: String) -> String {
        generation.lastIndex(of: ".").map { String(generation[..<$0]) } ?? generation
    }

    /// The generation's number in its host's life; -1 for none and for what is no generation.
    package static func ordinal(_ generation: String?) -> Int {
        guard let generation, let dot = generation.lastIndex(of: "."), dot > generation.startIndex,
            let number = Int(generation[generation.index(after: dot)...]), number >= 0
        else { return -1 }
        return number
    }

    package var description: String { "\(generation):\(sequence)" }
}
