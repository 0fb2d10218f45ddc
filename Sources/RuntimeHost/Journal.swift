import NIOCore

/// What the app-server said and the worker may not have taken yet, as encoded frames in order.
///
///     append ──▶ unacknowledged ──acknowledge──▶ kept 10 s for a successor ──▶ gone
///
/// Unacknowledged frames are never dropped: while they fill the limit nothing may be appended, and the caller stops
/// reading the app-server. Below the limit one more frame is admitted whatever its size, so the bound is the limit and
/// one line. Acknowledged frames make room first.
struct Journal {
    /// Counted for each frame besides its bytes: storage and bookkeeping.
    static let overheadBytes = 96
    /// How long acknowledged frames stay, in milliseconds.
    static let retention = 10_000

    let limitBytes: Int
    /// From `head` on; before it are frames already dropped, cut off from time to time.
    private var frames: [ByteBuffer] = []
    private var head = 0
    private(set) var first = 1
    /// The last frame that the worker has in Redis.
    private(set) var acknowledged = 0
    private(set) var bytes = 0
    private var unacknowledgedBytes = 0
    /// When what was acknowledged, in order; at most two a second.
    private var acknowledgements: [(sequence: Int, at: Int)] = []

    init(limitBytes: Int) {
        self.limitBytes = limitBytes
    }

    var count: Int { frames.count - head }
    /// The last number given out; `first - 1` when nothing is kept.
    var last: Int { first + count - 1 }
    var isFull: Bool { unacknowledgedBytes >= limitBytes }

    /// Appends what `make` returns for the next number.
    mutating func append(_ make: (Int) -> ByteBuffer) {
        let frame = make(last + 1)
        frames.append(frame)
        let weight = frame.readableBytes + Self.overheadBytes
        bytes += weight
        unacknowledgedBytes += weight
        makeRoom()
    }

    /// Everything up to `sequence` is in Redis. Numbers from outside of what was said change nothing.
    mutating func acknowledge(_ sequence: Int, now: Int) {
        guard sequence > acknowledged, sequence <= last else { return }
        for number in max(acknowledged + 1, first)...sequence {
            unacknowledgedBytes -= frames[head + number - first].readableBytes + Self.overheadBytes
        }
        acknowledged = sequence
        if let latest = acknowledgements.last, now - latest.at < 500 {
            // Kept by the later time: a frame may stay half a second longer, never shorter.
            acknowledgements[acknowledgements.count - 1] = (sequence, latest.at)
        } else {
            acknowledgements.append((sequence, now))
        }
        makeRoom()
    }

    /// Drops what was acknowledged long enough ago.
    mutating func expire(now: Int) {
        while let oldest = acknowledgements.first, now - oldest.at >= Self.retention + 500 {
            acknowledgements.removeFirst()
            while first <= oldest.sequence { dropFirst() }
        }
    }

    func frame(_ sequence: Int) -> ByteBuffer? {
        guard sequence >= first, sequence <= last else { return nil }
        return frames[head + sequence - first]
    }

    private mutating func makeRoom() {
        while bytes > limitBytes, first <= acknowledged { dropFirst() }
    }

    private mutating func dropFirst() {
        bytes -= frames[head].readableBytes + Self.overheadBytes
        frames[head] = ByteBuffer()
        head += 1
        first += 1
        if head > 1024, head > frames.count / 2 {
            frames.removeFirst(head)
            head = 0
        }
    }
}
