import ArgusAppServer
import ArgusCore
import Testing

@testable import ArgusWorker

@Suite("From a container's state to the next step")
struct ContainerStepTests {
    @Test("Nothing there: create") func nothing() {
        #expect(ContainerStep.next(nil, for: ContainerSpecTests.spec()) == .create)
    }

    @Test(
        "Each state has its step",
        arguments: [
            (Container.Status.created, ContainerStep.start), (.exited, .start), (.paused, .unpause),
            (.restarting, .wait), (.removing, .wait), (.dead, .replace(because: "it is dead")),
            (.running, .connect(address: "172.18.0.5")),
        ])
    func states(status: Container.Status, step: ContainerStep) {
        #expect(ContainerStep.next(Self.container(status), for: ContainerSpecTests.spec()) == step)
    }

    @Test("Running without an address yet: wait") func noAddress() {
        var container = Self.container(.running)
        container.address = nil
        #expect(ContainerStep.next(container, for: ContainerSpecTests.spec()) == .wait)
    }

    @Test("Unhealthy: replaced") func unhealthy() {
        var container = Self.container(.running)
        container.isHealthy = false
        #expect(ContainerStep.next(container, for: ContainerSpecTests.spec()) == .replace(because: "it is unhealthy"))
    }

    @Test(
        "One that knows another secret is replaced, whatever it does", arguments: [Container.Status.running, .exited])
    func secret(status: Container.Status) {
        var container = Self.container(status)
        container.secret = "an older one"
        let step = ContainerStep.next(container, for: ContainerSpecTests.spec())
        #expect(step == .replace(because: "it belongs to an earlier session of this id"))
    }

    @Test("One whose token was signed with a key that is gone is replaced")
    func token() {
        var container = Self.container(.running)
        container.token = "an older one"
        let step = ContainerStep.next(container, for: ContainerSpecTests.spec())
        #expect(step == .replace(because: "its token was signed with another key"))
    }

    @Test("One of another installation, or of nobody, is never touched", arguments: ["elsewhere", nil])
    func stranger(installation: String?) {
        var container = Self.container(.dead)
        container.labels[ContainerSpec.installationLabel] = installation
        #expect(ContainerStep.next(container, for: ContainerSpecTests.spec()) == .refuse)
    }

    @Test("What inspect says is read")
    func inspected() throws {
        let json = try JSONSlice.parse(
            """
            {"Id":"abc","State":{"Status":"exited","OOMKilled":true,"ExitCode":137,"Error":""},
             "Config":{"Image":"argus-runtime","Env":["PATH=/bin","ARGUS_LINK_SECRET=x=y","ARGUS_MCP_TOKEN=t"],
             "Labels":{"io.argus.installation":"here"}},
             "NetworkSettings":{"Networks":{"argus-net":{"IPAddress":"172.18.0.9"},"other":{"IPAddress":"10.0.0.1"}}}}
            """)
        let container = try #require(Container(json, network: "argus-net"))
        #expect(container.status == .exited)
        #expect(container.wasKilledForMemory)
        #expect(container.exitCode == 137)
        #expect(container.secret == "x=y")
        #expect(container.token == "t")
        #expect(container.address == "172.18.0.9")
        #expect(container.labels == ["io.argus.installation": "here"])
    }

    private static func container(_ status: Container.Status) -> Container {
        var container = Container(id: "abc", status: status)
        container.address = "172.18.0.5"
        container.secret = "secret-of-s1"
        container.token = "token-of-s1"
        container.labels = [ContainerSpec.installationLabel: "here"]
        return container
    }
}
