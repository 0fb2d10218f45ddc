import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

/// Where a process is struck: at the nth time that it reaches a point.
struct Place: Sendable, CustomTestStringConvertible {
    let point: FaultPoint
    var nth = 1

    init(_ point: FaultPoint, _ nth: Int = 1) {
        self.point = point
        self.nth = nth
    }

    var testDescription: String { nth == 1 ? point.rawValue : "\(point.rawValue), the \(nth)th time" }

    /// All points of a role, each reached for the first time.
    static func all(_ role: String) -> [Place] {
        FaultPoint.allCases.filter { $0.rawValue.hasPrefix(role + ".") }.map { Place($0) }
    }
}

/// One stroke: the first process of an installation that comes to the place is killed there, or stopped.
final class Fault: Sendable {
    enum Stroke: String { case kill, stop }

    private let folder: TemporaryDirectory
    let environment: [String: String]

    init(_ place: Place, _ stroke: Stroke) throws {
        folder = try TemporaryDirectory("fault")
        let text = "\(place.point.rawValue):\(stroke.rawValue):\(place.nth):\(folder.file("struck"))"
        environment = ["ARGUS_FAULT": text, "ARGUS_QUEUE_MODE": "followup"]
    }

    /// The process that was struck; waits for it.
    @discardableResult
    func victim(within limit: Duration = .seconds(30)) async throws -> pid_t {
        try await eventually(within: limit, "a process that comes to \(environment["ARGUS_FAULT"] ?? "")") {
            let text = try? String(contentsOfFile: folder.file("struck"), encoding: .utf8)
            return (text?.split(separator: "\n").first).flatMap { pid_t($0) }
        }
    }
}

extension EventTape {
    func accept(_ question: RPCMessage) async throws {
        try await socket.send(#"{"id":\#(question.id?.text ?? "0"),"result":{"decision":"accept"}}"#)
    }

    /// Says yes to the next question.
    func accept(within limit: Duration = .seconds(30)) async throws {
        let question = try await until("item/commandExecution/requestApproval", within: limit)
        try await accept(question)
    }
}
