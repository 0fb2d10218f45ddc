import ArgusAppServer
import ArgusCore
import ArgusService
import Testing

@testable import ArgusWorker

@Suite("What the engine is told about a new container")
struct ContainerSpecTests {
    @Test("Image, command, secret, mounts and rights are in the request")
    func body() throws {
        let body = try JSONSlice.parse(Self.spec().body.text)
        #expect(body["Image"]?.string == "argus-runtime")
        #expect(body["Entrypoint"]?.elements.map(\.string) == ["argus"])
        #expect(
            body["Cmd"]?.elements.map(\.string) == ["runtime-host", "--session", "s1", "--listen", "0.0.0.0:7777"])
        #expect(body["Env"]?.elements.compactMap(\.string).contains("ARGUS_LINK_SECRET=secret-of-s1") == true)
        #expect(body["Env"]?.elements.compactMap(\.string).contains("ARGUS_MCP_TOKEN=token-of-s1") == true)
        let host = try #require(body["HostConfig"])
        #expect(host["Binds"]?.elements.map(\.string) == ["/srv/argus:/root/.argus"])
        #expect(host["NetworkMode"]?.string == "argus-net")
        #expect(host["SecurityOpt"]?.elements.map(\.string) == ["no-new-privileges"])
        #expect(host["CapDrop"]?.elements.map(\.string) == ["ALL"])
        let rights = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"]
        #expect(host["CapAdd"]?.elements.map(\.string) == rights)
        #expect(host["LogConfig"]?["Type"]?.string == "json-file")
        #expect(host["LogConfig"]?["Config"]?["max-size"]?.string == "10m")
        #expect(host["LogConfig"]?["Config"]?["max-file"]?.string == "3")
        #expect(host["Memory"] == nil && host["CpuQuota"] == nil && host["PidsLimit"] == nil)
    }

    @Test("Limits that are set are applied, as the original did")
    func limits() throws {
        var settings = Self.settings
        settings.docker.limits = .init(cpus: 1.5, memoryBytes: 1 << 30, memorySwapBytes: 2 << 30, pids: 99)
        let host = try #require(try JSONSlice.parse(Self.spec(settings).body.text)["HostConfig"])
        #expect(host["CpuPeriod"]?.int == 100_000)
        #expect(host["CpuQuota"]?.int == 150_000)
        #expect(host["Memory"]?.int == 1 << 30)
        #expect(host["MemorySwap"]?.int == 2 << 30)
        #expect(host["PidsLimit"]?.int == 99)
    }

    @Test("A workspace of its own place is mounted over the home's")
    func workspace() {
        var settings = Self.settings
        settings.workspace = "/srv/project"
        #expect(Self.spec(settings).binds == ["/srv/argus:/root/.argus", "/srv/project:/root/.argus/workspace"])
    }

    @Test("Private homes lie side by side, and nothing is shared")
    func privateHomes() {
        var settings = Self.settings
        settings.docker.homes = .private
        #expect(Self.spec(settings).binds == ["/srv/argus/sessions/s1:/root/.argus"])
    }

    static let settings = ContainerSpec.Settings(
        docker: DockerConfiguration(engine: .socket("/var/run/docker.sock")),
        home: "/srv/argus", workspace: nil, pool: "default", runtimeCommand: "codex app-server",
        lineLimitBytes: 1 << 20, journalLimitBytes: 1 << 20)

    static func spec(_ settings: ContainerSpec.Settings = settings) -> ContainerSpec {
        ContainerSpec(
            settings: settings, session: SessionID("s1") ?? .random(), secret: "secret-of-s1", token: "token-of-s1",
            installation: "here")
    }
}
