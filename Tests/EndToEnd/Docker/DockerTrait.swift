import ArgusTestSupport
import Testing

extension Trait where Self == ConditionTrait {
    static var docker: ConditionTrait {
        .enabled("no Docker engine can be used; the reason is printed") { await DockerEngine.find() != nil }
    }
}

extension DockerEngine {
    /// Each in a container of its own, after its first turn.
    static func twoSessions(_ ingress: Ingress) async throws -> [EventTape] {
        var tapes: [EventTape] = []
        for _ in 0..<2 {
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("hello")
            try await tape.until("turn/completed", within: .seconds(40))
            tapes.append(tape)
        }
        return tapes
    }
}
