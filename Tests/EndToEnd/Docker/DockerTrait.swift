import ArgusTestSupport
import Testing

extension Trait where Self == ConditionTrait {
    static var docker: ConditionTrait {
        .enabled("no Docker engine can be used; the reason is printed") { await DockerEngine.find() != nil }
    }
}
