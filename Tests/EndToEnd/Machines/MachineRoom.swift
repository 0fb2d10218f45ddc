import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

/// Machines as network namespaces behind a bridge of this one, each with a cable that can be pulled.
///
/// What a stand-in it is: they have addresses, routes and connections of their own, and share kernel, clock and disk.
struct MachineRoom {
    /// Of the bridge: what runs on this machine is reached at it by the others.
    let address: String
    private let tag: String
    private let network: String

    /// One for each test process, told apart by its number.
    static func with(_ machines: [String], _ body: (MachineRoom) async throws -> Void) async throws {
        let number = Int(getpid()) % 60_000
        let room = MachineRoom(tag: "\(number)", network: "10.\(100 + number / 250).\(number % 250)")
        do {
            try await room.build(machines)
            try await body(room)
        } catch {
            await room.clear(machines)
            throw error
        }
        await room.clear(machines)
    }

    private init(tag: String, network: String) {
        self.tag = tag
        self.network = network
        address = "\(network).1"
    }

    /// What is put before a command to run it there.
    func on(_ machine: String) -> [String] { ["ip", "netns", "exec", name(machine)] }

    func pullCable(of machine: String) async throws { try await Self.ip("link", "set", cable(machine), "down") }
    func plugIn(_ machine: String) async throws { try await Self.ip("link", "set", cable(machine), "up") }

    /// Everything that runs there ends at once.
    func crash(_ machine: String) async throws {
        let pids = try await Self.ip("netns", "pids", name(machine)).split(separator: "\n")
        for pid in pids.compactMap({ pid_t($0) }) { kill(pid, SIGKILL) }
    }

    private var bridge: String { "agb\(tag)" }
    private func name(_ machine: String) -> String { "argus-\(tag)-\(machine)" }
    private func cable(_ machine: String) -> String { "agv\(tag)\(machine)" }

    private func build(_ machines: [String]) async throws {
        try await Self.ip("link", "add", bridge, "type", "bridge")
        try await Self.ip("addr", "add", "\(address)/24", "dev", bridge)
        try await Self.ip("link", "set", bridge, "up")
        for (index, machine) in machines.enumerated() {
            let name = name(machine)
            try await Self.ip("netns", "add", name)
            try await Self.ip("link", "add", cable(machine), "type", "veth", "peer", "name", "eth0", "netns", name)
            try await Self.ip("link", "set", cable(machine), "master", bridge, "up")
            try await Self.ip("-n", name, "link", "set", "lo", "up")
            try await Self.ip("-n", name, "addr", "add", "\(network).\(index + 2)/24", "dev", "eth0")
            try await Self.ip("-n", name, "link", "set", "eth0", "up")
        }
    }

    private func clear(_ machines: [String]) async {
        for machine in machines {
            try? await crash(machine)
            _ = try? await Self.ip("netns", "delete", name(machine))
        }
        _ = try? await Self.ip("link", "delete", bridge)
    }

    @discardableResult
    private static func ip(_ arguments: String...) async throws -> String {
        let process = try await ChildProcess.start("ip", arguments)
        let code = try await process.waitUntilExit(within: .seconds(20))
        guard code == 0 else { throw NotInTime("ip \(arguments.joined(separator: " ")): \(process.log)") }
        return process.standardOutput
    }

    /// Why there can be none here.
    static func obstacle() async -> String? {
        guard getuid() == 0 else { return "only root may make network namespaces" }
        let name = "argus-try-\(getpid())"
        do {
            try await ip("netns", "add", name)
            try await ip("netns", "delete", name)
            return nil
        } catch {
            return "\("\(error)".prefix(200))"
        }
    }
}

extension Trait where Self == ConditionTrait {
    static var machines: ConditionTrait {
        .enabled("no network namespaces can be made; the reason is printed") {
            guard let obstacle = await MachineRoom.obstacle() else { return true }
            print("Tests of several machines are skipped: \(obstacle)")
            return false
        }
    }
}
