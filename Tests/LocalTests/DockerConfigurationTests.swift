import ArgusTestSupport
import Testing

@testable import ArgusService

@Suite("Settings of runtimes")
struct DockerConfigurationTests {
    @Test(
        "Sizes are understood as the original did",
        arguments: [
            ("512m", 512 << 20), ("1g", 1 << 30), ("1.5gb", 3 << 29), ("2gib", 2 << 30), ("1048576", 1 << 20),
        ])
    func sizes(text: String, bytes: Int) {
        #expect(DockerConfiguration.size(text) == bytes)
    }

    @Test("What is no size is refused", arguments: ["", "m", "1q", "-1g", "1..5g", "0"])
    func noSizes(text: String) {
        #expect(DockerConfiguration.size(text) == nil)
    }

    @Test(
        "Limits that can't be are refused at the start",
        arguments: [
            ["ARGUS_RUNTIME_MEM_LIMIT": "1m"], ["ARGUS_RUNTIME_MEM_LIMIT": "much"], ["ARGUS_RUNTIME_CPUS": "0"],
            ["ARGUS_RUNTIME_CPUS": "two"], ["ARGUS_RUNTIME_PIDS_LIMIT": "0"], ["ARGUS_RUNTIME_MEMSWAP_LIMIT": "1g"],
            ["ARGUS_RUNTIME_MEM_LIMIT": "2g", "ARGUS_RUNTIME_MEMSWAP_LIMIT": "1g"],
            ["DOCKER_SOCK": "docker.sock"], ["ARGUS_SESSION_HOMES": "mine"],
            ["ARGUS_PROVISION_MODE": "docker", "DOCKER_HOST": "ssh://host"],
            ["ARGUS_GC_DELETE_ORPHAN_RUNTIMES": "yes"], ["ARGUS_RUNTIME_ENV": "ARGUS_TOKEN"],
            ["ARGUS_UPSTREAMS_JSON": "{}"], ["ARGUS_UPSTREAMS_JSON": "[]"],
            ["ARGUS_UPSTREAMS_JSON": #"{"a":{"port":1}}"#],
        ])
    func refused(environment: [String: String]) throws {
        let errors = try #require(throws: ConfigurationErrors.self) { try Configuration.load(environment: environment) }
        #expect(errors.entries.count == 1)
        #expect(environment.keys.contains(errors.entries[0].variable))
    }

    @Test(
        "The engine is named by DOCKER_HOST, else by DOCKER_SOCK",
        arguments: [
            ([:], DockerConfiguration.Engine.socket("/var/run/docker.sock")),
            (["DOCKER_SOCK": "/a.sock"], .socket("/a.sock")),
            (["DOCKER_SOCK": "/a.sock", "DOCKER_HOST": "unix:///b.sock"], .socket("/b.sock")),
            (["DOCKER_HOST": "tcp://proxy:2375"], .address(host: "proxy", port: 2375)),
            (["DOCKER_HOST": "tcp://[::1]:99/"], .address(host: "::1", port: 99)),
        ])
    func engine(environment: [String: String], engine: DockerConfiguration.Engine) throws {
        #expect(try Configuration.load(environment: environment).docker.engine == engine)
    }

    @Test("A DOCKER_HOST that only Docker's own tools understand stops no mode without containers")
    func othersHost() throws {
        for mode in ["process", "static"] {
            let environment = ["ARGUS_PROVISION_MODE": mode, "DOCKER_HOST": "ssh://host"]
            #expect(throws: Never.self) { try Configuration.load(environment: environment) }
        }
    }

    @Test("Private homes and one workspace for all are refused together, where runtimes are containers")
    func privateWorkspace() throws {
        var environment = ["ARGUS_SESSION_HOMES": "private", "ARGUS_WORKSPACE_HOST_PATH": "/srv/project"]
        #expect(throws: Never.self) { try Configuration.load(environment: environment) }
        environment["ARGUS_PROVISION_MODE"] = "docker"
        let errors = try #require(throws: ConfigurationErrors.self) { try Configuration.load(environment: environment) }
        #expect(errors.entries.map(\.variable) == ["ARGUS_SESSION_HOMES"])
        #expect(errors.description.contains("ARGUS_WORKSPACE_HOST_PATH is set: unset it, or share the homes"))
        environment["ARGUS_WORKSPACE_HOST_PATH"] = nil
        #expect(try Configuration.load(environment: environment).docker.homes == .private)
    }

    @Test("Only named variables are handed on to containers, and only those that are set; what isn't there is known")
    func handedOn() throws {
        let configuration = try Configuration.load(environment: [
            "ARGUS_RUNTIME_ENV": "OPENAI_API_KEY, MISSING EMPTY", "OPENAI_API_KEY": "k", "OTHER": "x", "EMPTY": "",
        ])
        #expect(configuration.docker.environment == ["OPENAI_API_KEY": "k"])
        // Empty is how compose hands on what nobody set.
        #expect(configuration.docker.missingVariables == ["MISSING"])
    }

    @Test("Upstreams are the original's: one by host and port, or several by id")
    func upstreams() throws {
        let one = try Configuration.load(environment: ["ARGUS_TCP_HOST": "h", "ARGUS_TCP_PORT": "1"]).upstreams
        #expect(one.upstreams == ["default": .init(host: "h", port: 1)])
        #expect(one.only == one.upstreams["default"] && one.defaultSession == nil)
        let text = #"{"a":{"host":"x","token":"t"},"b":{"host":"y","port":9}}"#
        let several = try Configuration.load(environment: ["ARGUS_UPSTREAMS_JSON": text]).upstreams
        #expect(several.upstreams == ["a": .init(host: "x", port: 7777), "b": .init(host: "y", port: 9)])
        #expect(several.only == nil && several.defaultSession?.rawValue == "a")
        let named = StaticConfiguration(
            upstreams: several.upstreams.merging(["default": .init(host: "z", port: 1)]) { $1 })
        #expect(named.defaultSession?.rawValue == "default")
    }
}
