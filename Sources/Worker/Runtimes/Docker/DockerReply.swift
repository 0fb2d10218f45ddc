import ArgusAppServer
import ArgusCore
import NIOCore

/// What the engine answered.
struct DockerReply: Sendable {
    let status: Int
    /// The API version the engine speaks; only asked of `/_ping`.
    var apiVersion: String?
    var body: ByteBuffer

    var isSuccess: Bool { (200..<400).contains(status) }
    /// The engine's own words for a failure.
    var message: String {
        let text = String(buffer: body).trimmed
        return (try? JSONSlice.parse(body))?["message"]?.string ?? (text.isEmpty ? "status \(status)" : text)
    }

    func json() throws(ArgusError) -> JSONSlice {
        do throws(ArgusError) {
            return try JSONSlice.parse(body)
        } catch {
            throw ArgusError(
                .internal, "the Docker engine's answer is not understood: is DOCKER_HOST one?", cause: error)
        }
    }
}

/// What of a container matters here, from `inspect`.
struct Container: Sendable, Equatable {
    /// What an init ends with when there is no such program.
    static let commandNotFound = 127

    enum Status: String, Sendable { case created, running, paused, restarting, removing, exited, dead }

    var id: String
    var status: Status
    var isHealthy = true
    /// In the network that it is asked for in; nil while it has none.
    var address: String?
    /// The secret its host was started with.
    var secret: String?
    var token: String?
    var labels: [String: String] = [:]
    var image = ""
    var exitCode = 0
    /// How often the engine has started it again by itself.
    var restarts = 0
    var wasKilledForMemory = false
    /// Why the engine could not start it.
    var error = ""

    init(id: String, status: Status) {
        self.id = id
        self.status = status
    }

    init?(_ json: JSONSlice, network: String) {
        guard let id = json["Id"]?.string, let state = json["State"],
            let status = state["Status"]?.string.flatMap({ Status(rawValue: $0) })
        else { return nil }
        self.id = id
        self.status = status
        isHealthy = state["Health"]?["Status"]?.string != "unhealthy"
        let address = json["NetworkSettings"]?["Networks"]?[network]?["IPAddress"]?.string ?? ""
        self.address = address.isEmpty ? nil : address
        exitCode = state["ExitCode"]?.int ?? 0
        wasKilledForMemory = state["OOMKilled"]?.bool ?? false
        restarts = json["RestartCount"]?.int ?? 0
        error = state["Error"]?.string ?? ""
        image = json["Config"]?["Image"]?.string ?? ""
        labels = Self.labels(json["Config"]?["Labels"])
        let variables = json["Config"]?["Env"]?.elements.compactMap(\.string) ?? []
        secret = Self.value(of: ContainerSpec.secretVariable, in: variables)
        token = Self.value(of: ContainerSpec.tokenVariable, in: variables)
    }

    private static func value(of name: String, in variables: [String]) -> String? {
        variables.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }

    private static func labels(_ json: JSONSlice?) -> [String: String] {
        Dictionary(
            (json?.members ?? []).compactMap { member in member.value.string.map { (member.key, $0) } },
            uniquingKeysWith: { $1 })
    }
}

/// A row of the list of containers.
struct ListedContainer: Sendable, Equatable {
    let id: String
    let name: String
    let session: SessionID
    let isRunning: Bool
    /// Seconds since 1970.
    let created: Int

    static func rows(_ json: JSONSlice) -> [ListedContainer] {
        json.elements.compactMap { row in
            guard let id = row["Id"]?.string,
                let session = row["Labels"]?[ContainerSpec.sessionLabel]?.string.flatMap({ SessionID($0) })
            else { return nil }
            let name = row["Names"]?.elements.first?.string ?? id
            return ListedContainer(
                id: id, name: name.hasPrefix("/") ? String(name.dropFirst()) : name, session: session,
                isRunning: row["State"]?.string == "running", created: row["Created"]?.int ?? 0)
        }
    }
}

extension String {
    /// Without white space at both ends.
    var trimmed: String {
        var text = self[...]
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text.drop { $0.isWhitespace })
    }
}
