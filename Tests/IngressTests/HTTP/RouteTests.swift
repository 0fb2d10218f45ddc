import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import ArgusTestSupport
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing

@testable import ArgusIngress

@Suite("HTTP routes", .redis, .timeLimit(.minutes(2)))
struct RouteTests {
    @Test("The open routes answer without a token, the others only with it")
    func routes() async throws {
        try await IngressFixture.run(["ARGUS_TOKEN": "s3cret"]) { ingress in
            #expect(try await HTTP.get(ingress.url + "/healthz").text == "{\"ok\":true}")
            #expect(try await HTTP.get(ingress.url + "/robots.txt").text == "User-agent: *\nDisallow: /\n")
            for path in ["/", "/chat", "/readyz"] {
                #expect(try await HTTP.get(ingress.url + path).status == 200)
            }
            for path in ["/sessions", "/metrics"] {
                let refused = try await HTTP.get(ingress.url + path)
                #expect(refused.status == 401)
                #expect(refused.text == "{\"detail\":\"Unauthorized\"}")
                #expect(try await HTTP.get(ingress.url + path + "?token=s3cret").status == 200)
                let headers = ["Authorization": "Bearer s3cret"]
                #expect(try await HTTP.get(ingress.url + path, headers: headers).status == 200)
            }
        }
    }

    @Test("Errors have a detail: unknown paths, wrong methods, a plain request to /ws, large bodies")
    func errors() async throws {
        try await IngressFixture.run { ingress in
            let missing = try await HTTP.get(ingress.url + "/nowhere")
            #expect(missing.status == 404)
            #expect(missing.text == "{\"detail\":\"Not Found\"}")
            let wrong = try await HTTP.post(ingress.url + "/sessions", body: "{}")
            #expect(wrong.status == 405)
            #expect(wrong.headers.first(name: "Allow") == "GET, HEAD")
            #expect(try await HTTP.get(ingress.url + "/sessions/abc").status == 405)
            #expect(try await HTTP.get(ingress.url + "/ws").status == 426)
            let large = String(repeating: "x", count: Routes.bodyLimit + 1)
            #expect(try await HTTP.post(ingress.url + "/sessions", body: large).status == 413)
            let headers = ["X-Large": String(repeating: "x", count: 20 << 10)]
            #expect(try await HTTP.get(ingress.url + "/healthz", headers: headers).status == 400)
        }
    }

    @Test("Pages of any origin may call the API, as the original allowed")
    func crossOrigin() async throws {
        try await IngressFixture.run { ingress in
            let headers = ["Origin": "http://a.example"]
            let answer = try await HTTP.get(ingress.url + "/sessions", headers: headers)
            #expect(answer.headers.first(name: "Access-Control-Allow-Origin") == "*")
            let preflight = try await HTTP.send(
                .OPTIONS, ingress.url + "/sessions/x",
                headers: headers.merging(["Access-Control-Request-Method": "DELETE"]) { $1 }, body: nil)
            #expect(preflight.status == 200)
            #expect(preflight.headers.first(name: "Access-Control-Allow-Methods")?.contains("DELETE") == true)
        }
        try await IngressFixture.run(["ARGUS_CORS_ORIGINS": "http://b.example"]) { ingress in
            let other = try await HTTP.get(ingress.url + "/healthz", headers: ["Origin": "http://a.example"])
            #expect(other.headers.first(name: "Access-Control-Allow-Origin") == nil)
            let listed = try await HTTP.get(ingress.url + "/healthz", headers: ["Origin": "http://b.example"])
            #expect(listed.headers.first(name: "Access-Control-Allow-Origin") == "http://b.example")
        }
    }

    @Test("Sessions are listed, and deleted when their owner has removed them")
    func sessions() async throws {
        try await IngressFixture.run { ingress in
            let (_, session) = try await ingress.attach()
            let list = try await HTTP.get(ingress.url + "/sessions").text
            #expect(
                list == """
                    {"sessions":[{"sessionId":"\(session)","containerId":null,"name":"argus-session-\(session)",\
                    "status":"idle","runtimeLayout":"root_argus_v1"}]}
                    """)
            #expect(
                try await HTTP.delete(ingress.url + "/sessions/nobody").text == "{\"detail\":\"Session not found\"}")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try await ingress.entries(session, .delete, count: 1)
                    let (token, _) = try await ingress.lease(session)
                    _ = try await ingress.queue.remove(session, token)
                }
                let answer = try await HTTP.delete(ingress.url + "/sessions/\(session)")
                #expect(answer.status == 200)
                #expect(answer.text == "{\"ok\":true,\"sessionId\":\"\(session)\"}")
                try await group.waitForAll()
            }
        }
    }

    @Test("Metrics count connections, frames and enqueues")
    func metrics() async throws {
        try await IngressFixture.run { ingress in
            let (client, session) = try await ingress.attach()
            try await client.send("{\"id\":1,\"method\":\"x/y\"}")
            _ = try await ingress.inputs(session, count: 1)
            try await eventually("the enqueue is counted") {
                let text = try await HTTP.get(ingress.url + "/metrics").text
                return text.contains("argus_ws_connections 1\n") && text.contains("argus_ws_frames_in_total 1\n")
                    && text.contains("argus_enqueue_seconds_count 1\n")
            }
        }
    }

    @Test("Readiness follows Redis")
    func readiness() async throws {
        let server = try await RedisServer.start()
        try await IngressFixture.run(on: server) { ingress in
            #expect(try await HTTP.get(ingress.url + "/readyz").status == 200)
            await server.kill()
            let answer = try await HTTP.get(ingress.url + "/readyz")
            #expect(answer.status == 503)
            #expect(answer.text.contains("Redis does not answer"))
            #expect(try await HTTP.get(ingress.url + "/healthz").status == 200)
            try await server.launch()
            try await eventually("it is ready again") { try await HTTP.get(ingress.url + "/readyz").status == 200 }
        }
        await server.kill()
    }

    @Test("A port that is taken ends the ingress with what to do")
    func portTaken() async throws {
        try await IngressFixture.run { ingress in
            let port = try #require(ingress.url.split(separator: ":").last)
            let configuration = try Configuration.load(
                environment: ["ARGUS_REDIS_URL": try RedisServer.current.url, "ARGUS_PORT": String(port)])
            let services = ServiceGroup(
                services: try IngressServices.make(configuration, logger: .quiet), logger: .quiet)
            let error = await #expect(throws: ArgusError.self) { try await services.run() }
            #expect(error?.message.contains("ARGUS_PORT") == true)
        }
    }

    @Test("A connection that asks for nothing does not keep the server from stopping")
    func idleConnection() async throws {
        try await IngressFixture.run { ingress in
            let port = try #require(Int(ingress.url.split(separator: ":").last ?? ""))
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: port).get()
            _ = try await HTTP.get(ingress.url + "/healthz")
            await ingress.services.triggerGracefulShutdown()
            try await within(.seconds(5), "the idle connection is closed") { try await channel.closeFuture.get() }
        }
    }
}
