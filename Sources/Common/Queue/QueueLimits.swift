/// How much one session may hold in Redis, and the times of its lease.
package struct QueueLimits: Sendable {
    package var inboxEntries = 10_000
    package var inboxBytes = 64 << 20
    /// The replay buffer of a session's events.
    package var eventsBytes = 16 << 20
    package var eventsCount = 20_000
    /// Larger messages stay out of the events: the owner replaces them before it commits.
    package var eventBytes = 8 << 20
    /// How long an owner may be silent before another takes over. Owners renew at a quarter of it.
    package var lease: Duration = .seconds(3)
    /// How long after it was connected to Redis again nobody takes over. Living owners are back within 0.5 s and renew
    /// a quarter of a lease later.
    var settling: Duration { lease * 2 / 3 }
    /// How long an idempotency key and its first answer are remembered.
    package var dedupe: Duration = .seconds(48 * 3600)
    /// Dead owners in a row that got nothing done: from the first count on the session backs off (1, 2, 4 … 30 s), at
    /// the second its oldest input goes to the dead letters.
    package var takeoversBeforeBackoff = 3
    package var takeoversBeforeBurial = 6

    package init() {}

    /// What frees the inbox must get into a full one: an answer to an approval, a stop, a leaving client.
    func inboxEntries(for kind: InboxEntry.Kind) -> Int {
        kind.isControl ? inboxEntries + inboxEntries / 4 + 64 : inboxEntries
    }

    func inboxBytes(for kind: InboxEntry.Kind) -> Int {
        kind.isControl ? inboxBytes + inboxBytes / 4 + (1 << 20) : inboxBytes
    }
}

extension Duration {
    /// Rounded down.
    var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
