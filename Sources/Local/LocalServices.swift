import ArgusService
import ServiceLifecycle

/// All processes of `argus up`. They stop from the last to the first, each within its limit: 5 s in all.
enum LocalServices {
    struct Plan: Sendable {
        let home: HomeFolder
        /// For redis-server to hold.
        let dataLock: Int32
        let redisBinary: String
        let executable: String
        let endpoint: Endpoint
        /// For the roles: everything they are told, by environment and never by arguments.
        let environment: [String: String]
    }

    static func make(_ plan: Plan, screen: Screen) -> [any Service] {
        func log(_ name: String) -> RoleLog {
            RoleLog(path: "\(plan.home.logs)/\(name).log") { screen.warn($0) }
        }
        let redis = SupervisedProcess(
            name: "redis", stopLimit: .milliseconds(1200), log: log("redis"), screen: screen,
            probe: PrivateRedis.isReady,
            command: { PrivateRedis.command(binary: plan.redisBinary, home: plan.home, lock: plan.dataLock) })
        func role(_ name: String, stopLimit: Duration) -> SupervisedProcess {
            var environment = plan.environment
            if name != "ingress" { environment = environment.filter { !$0.key.hasPrefix("TELEGRAM_") } }
            let command = Child.Command(executable: plan.executable, arguments: [name], environment: environment)
            return SupervisedProcess(
                name: name, needs: [redis], stopLimit: stopLimit, log: log(name), screen: screen,
                probe: { RoleLine.isReady($0, role: name) }, command: { command })
        }
        let worker = role("worker", stopLimit: .milliseconds(1000))
        let scheduler = role("scheduler", stopLimit: .milliseconds(300))
        let ingress = role("ingress", stopLimit: .milliseconds(1000))
        let announcer = Announcer(
            services: [redis, worker, scheduler, ingress], home: plan.home, endpoint: plan.endpoint, screen: screen)
        return [redis, RuntimeProcesses(home: plan.home.path), worker, scheduler, ingress, announcer]
    }
}

enum RoleLine {
    /// `<time> <level> <role> ready`, as `RoleRunner` logs it.
    static func isReady(_ line: String, role: String) -> Bool {
        let words = line.split(separator: " ")
        return words.count >= 4 && words[2] == role && words[3] == "ready"
    }
}
