import ArgusTestSupport
import Foundation
import NIOConcurrencyHelpers

/// Resident memory of the processes of each role over a run. They are killed and replaced all along, so their ages are
/// much the same in its first and in its last third: what grows beyond that is not given back by a death.
final class MemoryWatch: Sendable {
    static let roles = ["worker", "ingress", "scheduler", "runtime-host"]
    private static let pause = Duration.seconds(2)
    /// Of which the average may grow: the allocator's whims, and conversations that are longer by then.
    private static let allowedGrowth = 1.25
    private static let allowedMiB = 4.0

    private struct Sample {
        let at: ContinuousClock.Instant
        let bytes: Int
    }

    private let samples = NIOLockedValueBox<[String: [Sample]]>([:])

    /// Until it is cancelled.
    func run(_ installation: Installation) async {
        while !Task.isCancelled {
            for role in Self.roles {
                for pid in installation.pids(running: role) {
                    guard let bytes = Self.residentBytes(pid) else { continue }
                    samples.withLockedValue { $0[role, default: []].append(Sample(at: .now, bytes: bytes)) }
                }
            }
            try? await Task.sleep(for: Self.pause)
        }
    }

    private static func residentBytes(_ pid: pid_t) -> Int? {
        let text = try? String(contentsOfFile: "/proc/\(pid)/statm", encoding: .utf8)
        let pages = text?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return pages.map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) }.flatMap { $0 > 0 ? $0 : nil }
    }

    struct Course {
        let role: String
        let early: Double
        let late: Double
        let highest: Double

        var isFlat: Bool { late <= early * MemoryWatch.allowedGrowth + MemoryWatch.allowedMiB }
        var description: String {
            String(format: "%@ %.1f → %.1f MiB (highest %.1f)", role, early, late, highest)
        }
    }

    /// The average of a role in the first third and in the last.
    var courses: [Course] {
        samples.withLockedValue { samples in
            Self.roles.compactMap { role in
                guard let all = samples[role], let first = all.first, let last = all.last else { return nil }
                let third = (last.at - first.at) / 3
                let early = all.filter { $0.at <= first.at + third }
                let late = all.filter { $0.at >= last.at - third }
                return Course(
                    role: role, early: Self.average(early), late: Self.average(late),
                    highest: Self.mebibytes(all.map(\.bytes).max() ?? 0))
            }
        }
    }

    private static func average(_ samples: [Sample]) -> Double {
        mebibytes(samples.reduce(0) { $0 + $1.bytes } / max(1, samples.count))
    }

    private static func mebibytes(_ bytes: Int) -> Double { Double(bytes) / 1_048_576 }
}
