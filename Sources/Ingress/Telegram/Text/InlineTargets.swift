/// Where the runs of backticks are, so that looking for the end of a code span never walks the text twice.
struct BacktickRuns {
    private var starts: [Int: [Int]] = [:]

    init(_ scalars: [Unicode.Scalar]) {
        var index = 0
        while index < scalars.count {
            guard scalars[index] == "`" else {
                index += 1
                continue
            }
            let length = scalars[index...].prefix { $0 == "`" }.count
            starts[length, default: []].append(index)
            index += length
        }
    }

    /// The first run of exactly this length that starts at `position` or later.
    func next(length: Int, from position: Int) -> Int? {
        guard let positions = starts[length] else { return nil }
        var (low, high) = (0, positions.count)
        while low < high {
            let middle = (low + high) / 2
            if positions[middle] < position { low = middle + 1 } else { high = middle }
        }
        return low < positions.count ? positions[low] : nil
    }
}

/// `(address "title")` after a label.
struct LinkTarget {
    /// Of an address, in scalars; a longer one is text.
    static let limit = 2048

    let url: String
    /// The position after the closing parenthesis.
    let end: Int

    init?(_ scalars: [Unicode.Scalar], after start: Int) {
        guard start < scalars.count, scalars[start] == "(" else { return nil }
        let limit = min(scalars.count, start + Self.limit)
        var index = start + 1
        func skipSpace() {
            while index < limit, scalars[index].properties.isWhitespace { index += 1 }
        }
        skipSpace()
        var url = String.UnicodeScalarView()
        if index < limit, scalars[index] == "<" {
            index += 1
            while index < limit, scalars[index] != ">", scalars[index] != "<", scalars[index] != "\n" {
                url.append(scalars[index])
                index += 1
            }
            guard index < limit, scalars[index] == ">" else { return nil }
            index += 1
        } else {
            var depth = 0
            while index < limit, !scalars[index].properties.isWhitespace {
                if scalars[index] == ")" {
                    if depth == 0 { break }
                    depth -= 1
                }
                if scalars[index] == "(" { depth += 1 }
                // No address nests deeper, and a text full of beginnings must not be read again for each.
                guard depth <= 16 else { return nil }
                if scalars[index] == "\\", index + 1 < limit, scalars[index + 1].isASCIIPunctuation { index += 1 }
                url.append(scalars[index])
                index += 1
            }
        }
        skipSpace()
        if index < limit, scalars[index] == "\"" || scalars[index] == "'" {
            let quote = scalars[index]
            index += 1
            while index < limit, scalars[index] != quote { index += 1 }
            index += 1
            skipSpace()
        }
        guard index < limit, scalars[index] == ")", !url.isEmpty else { return nil }
        self.url = String(url)
        self.end = index + 1
    }

    /// Whether Telegram makes a link of it.
    static func isReachable(_ url: String) -> Bool {
        let scheme = url.prefix { $0 != ":" }.lowercased()
        guard ["http", "https", "tg", "mailto"].contains(scheme) else { return false }
        return url.dropFirst(scheme.count).count > 3 && !url.unicodeScalars.contains { $0.properties.isWhitespace }
    }
}
