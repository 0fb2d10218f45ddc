/// A run of `*`, `_` or `~`.
struct Delimiter {
    let node: Int
    let mark: Unicode.Scalar
    /// As written; `count` shrinks as pairs use it up.
    let length: Int
    var count: Int
    let canBegin: Bool
    let canEnd: Bool
    var previous: Int?
    var next: Int?

    init(node: Int, mark: Unicode.Scalar, count: Int, before: Unicode.Scalar?, after: Unicode.Scalar?) {
        self.node = node
        self.mark = mark
        self.length = count
        self.count = count
        let touchesAfter = !(after?.properties.isWhitespace ?? true)
        let touchesBefore = !(before?.properties.isWhitespace ?? true)
        switch mark {
        case "_":
            // Only at the edges of words: snake_case is none.
            canBegin = touchesAfter && !(before?.isWord ?? false)
            canEnd = touchesBefore && !(after?.isWord ?? false)
        case "~":
            canBegin = touchesAfter && count == 2
            canEnd = touchesBefore && count == 2
        default:
            canBegin = touchesAfter
            canEnd = touchesBefore
        }
    }
}

/// The delimiters not yet paired, as a list linked through an array.
struct DelimiterStack {
    private struct Kind: Hashable {
        let mark: Unicode.Scalar
        let canBegin: Bool
        let remainder: Int
    }

    private var all: [Delimiter] = []
    private(set) var last: Int?

    mutating func push(_ delimiter: Delimiter) {
        var delimiter = delimiter
        delimiter.previous = last
        if let last { all[last].next = all.count }
        last = all.count
        all.append(delimiter)
    }

    /// Pairs what stands above `bottom` and forgets it.
    mutating func pair(above bottom: Int?, in nodes: inout [InlineMarkdown.Node]) {
        // How far back a search of this kind has already failed: it isn't repeated, so the whole stays linear.
        var floors: [Kind: Int?] = [:]
        var closer = first(above: bottom)
        while let current = closer {
            guard all[current].canEnd else {
                closer = all[current].next
                continue
            }
            let kind = Kind(
                mark: all[current].mark, canBegin: all[current].canBegin, remainder: all[current].length % 3)
            if let opener = opener(for: current, above: floors[kind] ?? bottom) {
                closer = join(opener, current, &nodes)
            } else {
                floors[kind] = all[current].previous
                let next = all[current].next
                if !all[current].canBegin { remove(current) }
                closer = next
            }
        }
        while let top = last, top != bottom { remove(top) }
    }

    private func first(above bottom: Int?) -> Int? {
        var first: Int?
        var candidate = last
        while let current = candidate, current != bottom {
            first = current
            candidate = all[current].previous
        }
        return first
    }

    /// Positions grow with the text, so one that was removed meanwhile still marks how far back to look.
    private func opener(for closer: Int, above floor: Int?) -> Int? {
        var candidate = all[closer].previous
        while let current = candidate, current > floor ?? -1 {
            if all[current].mark == all[closer].mark, all[current].canBegin, !isOddMatch(current, closer) {
                return current
            }
            candidate = all[current].previous
        }
        return nil
    }

    /// CommonMark's rule of three: `**a*` is no pair of which something would be left on both sides.
    private func isOddMatch(_ opener: Int, _ closer: Int) -> Bool {
        let (opener, closer) = (all[opener], all[closer])
        guard opener.canEnd || closer.canBegin else { return false }
        return (opener.length + closer.length) % 3 == 0 && (opener.length % 3 != 0 || closer.length % 3 != 0)
    }

    /// The next closer to look at.
    private mutating func join(_ opener: Int, _ closer: Int, _ nodes: inout [InlineMarkdown.Node]) -> Int? {
        let isDouble = all[opener].count >= 2 && all[closer].count >= 2
        let emphasis: InlineMarkdown.Emphasis =
            all[opener].mark == "~" ? .strike : isDouble ? .bold : .italic
        nodes[all[opener].node].begin(emphasis, using: isDouble ? 2 : 1)
        nodes[all[closer].node].end(emphasis, using: isDouble ? 2 : 1)
        all[opener].count -= isDouble ? 2 : 1
        all[closer].count -= isDouble ? 2 : 1
        // What stands between them can't pair with anything outside.
        all[opener].next = closer
        all[closer].previous = opener
        if all[opener].count == 0 { remove(opener) }
        guard all[closer].count == 0 else { return closer }
        let next = all[closer].next
        remove(closer)
        return next
    }

    private mutating func remove(_ index: Int) {
        let (previous, next) = (all[index].previous, all[index].next)
        if let previous { all[previous].next = next }
        if let next { all[next].previous = previous }
        if last == index { last = previous }
    }
}

extension InlineMarkdown.Node {
    fileprivate mutating func begin(_ emphasis: InlineMarkdown.Emphasis, using count: Int) {
        guard case .delimiters(let ends, let rest, let begins) = self else { return }
        self = .delimiters(ends: ends, rest: String(rest.dropLast(count)), begins: begins + [emphasis])
    }

    fileprivate mutating func end(_ emphasis: InlineMarkdown.Emphasis, using count: Int) {
        guard case .delimiters(let ends, let rest, let begins) = self else { return }
        self = .delimiters(ends: ends + [emphasis], rest: String(rest.dropLast(count)), begins: begins)
    }
}

extension Unicode.Scalar {
    var isASCIIPunctuation: Bool {
        switch value {
        case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
        default: false
        }
    }

    fileprivate var isWord: Bool {
        properties.isAlphabetic || properties.numericType != nil || self == "_"
    }
}
