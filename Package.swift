// swift-tools-version: 6.2
import PackageDescription

// Direction: Core and the shims at the bottom; Redis and HTTPClient above; Queue and AppServer next, not importing
// each other; roles on top, never importing each other; the executable starts them. Tests/TidyTests keeps it so.

/// Set by scripts/fuzz: libFuzzer's library. Our modules then tell it which way they take, and `argus-fuzz` stands in
/// for the tests.
let fuzzer = Context.environment["ARGUS_FUZZ"]

let settings: [SwiftSetting] =
    [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        .treatAllWarnings(as: .error),
    ] + (fuzzer == nil ? [] : [.unsafeFlags(["-sanitize=fuzzer", "-enable-testing", "-assert-config", "Debug"])])

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioLocks = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")

/// A C target over a system library: the library is named here because autolinking only comes from Swift modules.
func shim(_ name: String, libraries: [String] = []) -> Target {
    .target(name: name, path: "Sources/Common/\(name)", linkerSettings: libraries.map { .linkedLibrary($0) })
}

func common(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .target(
        name: "Argus\(name)", dependencies: dependencies, path: "Sources/Common/\(name)", resources: resources,
        swiftSettings: settings)
}

func role(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .target(
        name: "Argus\(name)", dependencies: dependencies, path: "Sources/\(name)", resources: resources,
        swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["ArgusTestSupport"], path: "Tests/\(name)", exclude: exclude,
        swiftSettings: settings)
}

/// The modules whose parsers are fuzzed.
let fuzzed: [Target.Dependency] = [
    "ArgusCore", "ArgusRedis", "ArgusAppServer", "ArgusService", "ArgusHTTPClient", "ArgusIngress", nioCore, nioHTTP1,
]

let package = Package(
    name: "argus",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        shim("CHiredis", libraries: ["hiredis"]),
        shim("CCurl", libraries: ["curl"]),
        shim("COpenSSL", libraries: ["ssl", "crypto"]),
        shim("CProcess"),

        common("Core", ["COpenSSL"]),
        common("Redis", ["ArgusCore", "CHiredis", "COpenSSL", nioCore, nioPosix, nioLocks, logging, lifecycle]),
        common("HTTPClient", ["ArgusCore", "CCurl", nioLocks, logging, lifecycle]),
        common(
            "Queue", ["ArgusCore", "ArgusRedis", nioCore, nioLocks, logging, lifecycle],
            resources: [.embedInCode("Scripts")]),
        common("AppServer", ["ArgusCore", nioCore]),
        common(
            "Service",
            ["ArgusCore", "ArgusRedis", "CProcess", nioCore, nioPosix, nioLocks, nioHTTP1, logging, lifecycle]),

        role(
            "Ingress",
            [
                "ArgusCore", "ArgusRedis", "ArgusQueue", "ArgusAppServer", "ArgusHTTPClient", "ArgusService",
                nioCore, nioPosix, nioLocks, nioHTTP1, nioWebSocket, hummingbird, logging, lifecycle,
            ],
            resources: [.embedInCode("Telegram/Scripts")]),
        role(
            "Worker",
            [
                "ArgusCore", "ArgusRedis", "ArgusQueue", "ArgusAppServer", "ArgusService", "CProcess",
                nioCore, nioPosix, nioLocks, nioHTTP1, logging, lifecycle,
            ]),
        role(
            "Scheduler",
            ["ArgusCore", "ArgusRedis", "ArgusQueue", "ArgusService", logging, lifecycle]),
        role(
            "RuntimeHost",
            [
                "ArgusCore", "ArgusAppServer", "ArgusService", "CProcess", nioCore, nioPosix, nioLocks, logging,
                lifecycle,
            ]),
        role("DemoRuntime", ["ArgusCore", "ArgusAppServer", nioCore]),
        role(
            "Local", ["ArgusCore", "ArgusRedis", "ArgusService", "CProcess", nioCore, nioPosix, logging, lifecycle],
            resources: [.embedInCode("Codex")]),
        role(
            "Chat",
            ["ArgusCore", "ArgusService", "ArgusAppServer", nioCore, nioPosix, nioHTTP1, nioWebSocket, logging]),
        .executableTarget(
            name: "argus",
            dependencies: [
                "ArgusIngress", "ArgusWorker", "ArgusScheduler", "ArgusRuntimeHost", "ArgusDemoRuntime", "ArgusLocal",
                "ArgusChat", "ArgusQueue", "ArgusRedis", "ArgusService", "ArgusCore", arguments, logging, nioCore,
                nioPosix,
            ],
            path: "Sources/Argus", swiftSettings: settings),

        .target(
            name: "ArgusTestSupport",
            dependencies: [
                "ArgusCore", "ArgusRedis", "ArgusAppServer", subprocess, nioCore, nioPosix, nioHTTP1, nioWebSocket,
                nioLocks, logging,
            ],
            path: "Tests/Support", swiftSettings: settings),
        .executableTarget(
            name: "argus-bench",
            dependencies: [
                "ArgusTestSupport", "ArgusAppServer", "ArgusCore", "ArgusQueue", "ArgusRedis", "ArgusService", nioCore,
                nioPosix, nioHTTP1, nioWebSocket, nioLocks, logging,
            ],
            path: "Tests/Bench", exclude: ["Peers"], swiftSettings: settings),
        .executableTarget(
            name: "argus-chaos",
            dependencies: ["ArgusTestSupport", "ArgusAppServer", "ArgusCore", "ArgusRedis", nioCore, nioLocks],
            path: "Tests/Chaos", swiftSettings: settings),
    ] + selectedTests
)

/// `ARGUS_TESTS=QueueTests,RedisTests` builds only these test targets, for quick rounds on one module.
var selectedTests: [Target] {
    let all = [
        tests("CoreTests", ["ArgusCore"]),
        tests("RedisTests", ["ArgusRedis", nioEmbedded, nioPosix]),
        tests("HTTPClientTests", ["ArgusHTTPClient", nioCore, nioPosix, nioHTTP1]),
        tests("QueueTests", ["ArgusQueue", "ArgusRedis"]),
        tests("AppServerTests", ["ArgusAppServer"]),
        tests("RuntimeHostTests", ["ArgusRuntimeHost", "ArgusAppServer", "ArgusDemoRuntime", nioCore, nioPosix]),
        tests("IngressTests", ["ArgusIngress", "ArgusQueue", "ArgusHTTPClient", nioEmbedded, nioWebSocket]),
        tests("WorkerTests", ["ArgusWorker", "ArgusAppServer", "ArgusQueue", "ArgusService", nioHTTP1]),
        tests(
            "LocalTests",
            ["ArgusLocal", "ArgusChat", "ArgusService", "ArgusCore", "ArgusAppServer", nioLocks, logging]),
        tests(
            "EndToEnd",
            [
                "ArgusAppServer", "ArgusQueue", "ArgusRedis", "ArgusWorker", "ArgusService", "argus", subprocess,
                nioCore, nioPosix,
            ]),
        tests("TidyTests", []),
        tests("Fuzz", fuzzed, exclude: ["Fuzzer.swift", "Corpus"]),
    ]
    if let fuzzer { return [fuzzTarget(fuzzer)] }
    guard let chosen = Context.environment["ARGUS_TESTS"]?.split(separator: ",").map(String.init) else { return all }
    return all.filter { chosen.contains($0.name) }
}

func fuzzTarget(_ library: String) -> Target {
    .executableTarget(
        name: "argus-fuzz", dependencies: fuzzed + ["ArgusTestSupport"], path: "Tests/Fuzz",
        exclude: ["CorpusTests.swift", "Corpus"], swiftSettings: settings,
        linkerSettings: [.unsafeFlags(["-Xlinker", library]), .linkedLibrary("stdc++")])
}
