import ArgusCore
import Testing

@testable import ArgusRedis

@Suite("A Redis URL")
struct RedisConfigurationTests {
    struct Good: Sendable {
        let url: String
        let endpoint: RedisConfiguration.Endpoint
        var user: String?
        var password: String?
        var database = 0
        var isSecure = false
        var authorities: String?
    }

    @Test(
        "is understood in each of its forms",
        arguments: [
            Good(url: "redis://localhost", endpoint: .tcp(host: "localhost", port: 6379)),
            Good(url: "redis://localhost/", endpoint: .tcp(host: "localhost", port: 6379)),
            Good(url: "REDIS://10.0.0.1:7000/3", endpoint: .tcp(host: "10.0.0.1", port: 7000), database: 3),
            Good(url: "redis://h?db=4", endpoint: .tcp(host: "h", port: 6379), database: 4),
            Good(url: "redis://[::1]:6380", endpoint: .tcp(host: "::1", port: 6380)),
            Good(url: "redis://[fe80::1]", endpoint: .tcp(host: "fe80::1", port: 6379)),
            Good(url: "redis://:pw@h", endpoint: .tcp(host: "h", port: 6379), password: "pw"),
            Good(url: "redis://u:p%40%3A@h:1", endpoint: .tcp(host: "h", port: 1), user: "u", password: "p@:"),
            Good(url: "redis://u:a@b:c@h", endpoint: .tcp(host: "h", port: 6379), user: "u", password: "a@b:c"),
            Good(
                url: "rediss://h?ca=/etc/ca.pem", endpoint: .tcp(host: "h", port: 6379), isSecure: true,
                authorities: "/etc/ca.pem"),
            Good(url: "rediss://h", endpoint: .tcp(host: "h", port: 6379), isSecure: true),
            Good(url: "unix:///run/redis.sock", endpoint: .unix(path: "/run/redis.sock")),
            Good(
                url: "unix:///run/a%20b.sock?db=2&password=x%26y&user=u", endpoint: .unix(path: "/run/a b.sock"),
                user: "u", password: "x&y", database: 2),
        ])
    func good(_ good: Good) throws {
        let configuration = try RedisConfiguration(url: good.url)
        #expect(configuration.place == .server(good.endpoint))
        #expect(configuration.user == good.user)
        #expect(configuration.password?.exposed == good.password)
        #expect(configuration.database == good.database)
        #expect((configuration.tls != nil) == good.isSecure)
        #expect(configuration.tls?.authorities == good.authorities)
    }

    @Test("may name sentinels, or nodes of a cluster")
    func guides() throws {
        let sentinel = try RedisConfiguration(url: "redis+sentinel://u:s3cret@a,b:1,[::1]:2/main%20one/3")
        let sentinels: [RedisConfiguration.Endpoint] = [
            .tcp(host: "a", port: 26_379), .tcp(host: "b", port: 1), .tcp(host: "::1", port: 2),
        ]
        #expect(sentinel.place == .sentinels(sentinels, master: "main one"))
        #expect(sentinel.database == 3)
        #expect(sentinel.password?.exposed == "s3cret")
        #expect("\(sentinel)" == "redis+sentinel://u:***@a:26379,b:1,[::1]:2/main one/3")
        #expect(try RedisConfiguration(url: "rediss+sentinel://a/m/?ca=/x.pem").tls?.authorities == "/x.pem")
        let cluster = try RedisConfiguration(url: "redis+cluster://a:7000,b")
        #expect(cluster.place == .cluster([.tcp(host: "a", port: 7000), .tcp(host: "b", port: 6379)]))
        #expect("\(cluster)" == "redis+cluster://a:7000,b:6379")
    }

    @Test(
        "that is wrong is refused without being repeated",
        arguments: [
            "", "localhost:6379", "http://s3cret@h", "redis://", "redis://:s3cret@", "redis://:s3cret@h:port",
            "redis://:s3cret@h:0", "redis://:s3cret@h:65536", "redis://:s3cret@h/x", "redis://:s3cret@h/-1",
            "redis://:s3cret@[::1", "redis://:s3cret@[::1]x", "redis://:s3cret%@h", "redis://:s3cret%FF@h",
            "redis://s3cret@h", "redis://:s3cret@h,i", "redis+sentinel://:s3cret@h", "redis+sentinel://:s3cret@h,/m",
            "redis+cluster://:s3cret@h/1",
            "redis://:s3cret@[[::1]", "redis://:s3cret@h%00", "redis://:s3cret@h%2Fi", "redis+other://:s3cret@h",
            "redis://h?password=s3cret", "redis://h?s3cret",
            "unix://relative?password=s3cret",
            "unix:///\(String(repeating: "x", count: 108))?password=s3cret",
        ])
    func bad(_ url: String) {
        let error = #expect(throws: ArgusError.self) { try RedisConfiguration(url: url) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.description.contains("s3cret") == false)
        #expect(error?.message.contains("redis://[user:password@]host") == true)
    }

    @Test(
        "never prints its password",
        arguments: [
            "redis://user:s3cret@host:1/2", "redis://:s3cret@host", "rediss://:s3cret@host",
            "unix:///path?password=s3cret",
        ])
    func redaction(_ url: String) throws {
        let configuration = try RedisConfiguration(url: url)
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), dumped] {
            #expect(!text.contains("s3cret"))
        }
        #expect("\(configuration)".contains("***"))
    }
}
