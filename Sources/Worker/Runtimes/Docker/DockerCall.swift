import ArgusCore
import NIOHTTP1

/// One request to the Docker Engine API, without its version: a value, so that what is asked can be tested without an
/// engine.
struct DockerCall: Sendable, Equatable {
    var method: HTTPMethod
    /// After `/v1.xx`, with the query; encoded.
    var path: String
    var body: String?
    /// Not below the version: `/_ping`.
    var isUnversioned = false

    static let ping = DockerCall(method: .GET, path: "/_ping", isUnversioned: true)

    static func create(_ name: String, _ spec: JSON) -> DockerCall {
        DockerCall(method: .POST, path: "/containers/create?name=\(escaped(name))", body: spec.text)
    }

    static func inspect(_ name: String) -> DockerCall {
        DockerCall(method: .GET, path: "/containers/\(escaped(name))/json")
    }

    static func start(_ id: String) -> DockerCall {
        DockerCall(method: .POST, path: "/containers/\(escaped(id))/start")
    }

    static func unpause(_ id: String) -> DockerCall {
        DockerCall(method: .POST, path: "/containers/\(escaped(id))/unpause")
    }

    /// SIGTERM, then SIGKILL after `seconds`. A container that is stopped so stays stopped when the engine restarts.
    static func stop(_ id: String, seconds: Int) -> DockerCall {
        DockerCall(method: .POST, path: "/containers/\(escaped(id))/stop?t=\(seconds)")
    }

    /// Kills it first, if it runs. Its anonymous volumes go with it, its mounts stay.
    static func remove(_ id: String) -> DockerCall {
        DockerCall(method: .DELETE, path: "/containers/\(escaped(id))?force=1&v=1")
    }

    /// Containers in any state that carry all of `labels`.
    static func list(labels: [(String, String)]) -> DockerCall {
        let filters: JSON = ["label": .array(labels.map { .string("\($0.0)=\($0.1)") })]
        return DockerCall(method: .GET, path: "/containers/json?all=1&filters=\(escaped(filters.text))")
    }

    static func logs(_ id: String, lines: Int) -> DockerCall {
        DockerCall(method: .GET, path: "/containers/\(escaped(id))/logs?stdout=1&stderr=1&tail=\(lines)")
    }

    static func pull(_ image: String) -> DockerCall {
        let (name, tag) = split(image)
        let tagQuery = tag.map { "&tag=\(escaped($0))" } ?? ""
        return DockerCall(method: .POST, path: "/images/create?fromImage=\(escaped(name))\(tagQuery)")
    }

    /// The name and the tag or digest of an image; without a tag the engine would pull all of them.
    static func split(_ image: String) -> (name: String, tag: String?) {
        if image.contains("@") { return (image, nil) }
        let afterSlash = image.lastIndex(of: "/").map { image.index(after: $0) } ?? image.startIndex
        guard let colon = image[afterSlash...].lastIndex(of: ":") else { return (image, "latest") }
        return (String(image[..<colon]), String(image[image.index(after: colon)...]))
    }

    private static func escaped(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
