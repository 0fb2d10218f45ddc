/// What the last words of a person ask the mock of the Responses API to do.
///
/// Directives stand before the text, separated by spaces:
///
///     slow:MS        waits so long between deltas
///     status:CODE    answers with this HTTP status
///     cut            ends the stream in the middle
///     hang           streams the first word, then nothing more
///     hold           streams the first word; the rest when the test says `release`
///     once           the directives count for the first request with these words only
///     call:COMMAND   asks for COMMAND to be run (to the end of the text), then answers with its output
package struct MockResponsesScript: Sendable, Equatable {
    package enum Ending: Sendable, Equatable {
        case whole, cut, hang, hold
        case status(Int)
    }

    package private(set) var ending = Ending.whole
    package private(set) var delay = Duration.zero
    package private(set) var isOnce = false
    package private(set) var command: String?
    package private(set) var text: Substring = ""

    package init(_ words: String) {
        var rest = Substring(words)
        while true {
            rest = rest.drop(while: \.isWhitespace)
            let word = rest.prefix { !$0.isWhitespace }
            if let colon = rest.firstIndex(of: ":"), rest[..<colon] == "call" {
                command = String(rest[rest.index(after: colon)...])
                return
            }
            guard take(word) else { break }
            rest = rest.dropFirst(word.count)
        }
        text = rest
    }

    private mutating func take(_ word: Substring) -> Bool {
        switch word {
        case "once": isOnce = true
        case "cut": ending = .cut
        case "hang": ending = .hang
        case "hold": ending = .hold
        default:
            let parts = word.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let number = Int(parts[1]) else { return false }
            switch parts[0] {
            case "slow": delay = .milliseconds(number)
            case "status": ending = .status(number)
            default: return false
            }
        }
        return true
    }

    /// As it is for the `number`th request with the same words, counted from 1.
    package func step(_ number: Int) -> MockResponsesScript {
        guard isOnce, number > 1 else { return self }
        var plain = self
        plain.ending = .whole
        plain.delay = .zero
        plain.text = command.map { Substring($0) } ?? text
        plain.command = nil
        return plain
    }
}
