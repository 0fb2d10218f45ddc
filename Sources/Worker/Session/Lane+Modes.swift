import ArgusCore

/// What texts do to the running turn that came after it began, in the modes in which they don't just wait for its end.
extension Lane {
    /// Called when a text has come, and when a turn has begun. Only turns that the gateway words are touched: a
    /// client's own turn is the client's.
    package mutating func urge() -> [Action] {
        guard let row, row.isWorded, row.step == .running, row.turn != nil else { return [] }
        let texts = waiting.prefix { $0.text != nil }.filter { !steering.contains($0.entry) }
        switch mode {
        case .collect, .followup: return []
        case .steer:
            steering.formUnion(texts.map(\.entry))
            return texts.map { .steer($0.entry) }
        case .interrupt:
            // Whoever sends the next text need not be told that the turn before it was stopped.
            stoppers.formUnion(texts.compactMap(\.source))
            return texts.isEmpty ? [] : [.stop]
        }
    }

    /// The link was down: what was on its way may not have arrived.
    package mutating func urgeAgain() -> [Action] {
        steering = []
        return urge()
    }

    /// The runtime has taken the input into the running turn, or has not: then it waits as any other.
    package mutating func steered(_ entry: StreamID, isTaken: Bool) -> [Action] {
        steering.remove(entry)
        guard isTaken, let index = waiting.firstIndex(where: { $0.entry == entry }) else { return [] }
        let input = waiting.remove(at: index)
        // The turn's end was faster than the answer: its reply was for this input as well. A turn that runs now is one
        // that the runtime or a client has begun, since ours wait for the answer.
        guard row?.isWorded == true else { return [.skip([entry])] }
        running.append(input)
        row?.entries.append(entry)
        return [.persist]
    }
}
