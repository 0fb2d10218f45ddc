import ArgusCore
import ArgusService
import Glibc
import NIOCore

/// The engine's failures as sentences that say what to do.
enum DockerFailure {
    static func unreachable(_ engine: DockerConfiguration.Engine, _ cause: any Error) -> ArgusError {
        let code = (cause as? IOError)?.errnoCode
        switch (engine, code) {
        case (.socket(let path), EACCES):
            return ArgusError(
                .unavailable,
                "this user may not use the Docker socket \(path): add it to the socket's group (docker), and start again",
                cause: cause)
        case (.socket(let path), ENOENT):
            return ArgusError(
                .unavailable,
                "there is no Docker socket at \(path): start Docker, or say where it is with DOCKER_SOCK or DOCKER_HOST",
                cause: cause)
        default:
            return ArgusError(
                .unavailable, "the Docker engine does not answer at \(engine): start it, or check DOCKER_HOST",
                cause: cause)
        }
    }

    /// What kept a container from being made, started or removed.
    static func refused(_ verb: String, _ spec: ContainerSpec, _ reply: DockerReply) -> ArgusError {
        let docker = spec.settings.docker
        let message = reply.message
        let lower = message.lowercased()
        func error(_ code: ArgusError.Code, _ sentence: String) -> ArgusError {
            ArgusError(code, sentence, cause: EngineMessage(text: message))
        }
        if lower.contains("no such image") { return missingImage(docker.image, message) }
        if lower.contains("network"), lower.contains("not found") {
            return error(
                .unavailable,
                "the Docker network \(docker.network) does not exist: docker network create \(docker.network), or set ARGUS_DOCKER_NETWORK"
            )
        }
        if lower.contains("no space left") || lower.contains("disk quota") {
            return error(
                .exhausted, "the disk of the Docker engine is full: free space (docker system df, docker system prune)")
        }
        if lower.contains("executable file not found") || lower.contains("no such file or directory: unknown") {
            return noArgus(docker.image, message)
        }
        if lower.contains("no available"), lower.contains("address") {
            return error(
                .exhausted,
                "the Docker network \(docker.network) has no free address: stop idle sessions, or give it a larger subnet"
            )
        }
        if lower.contains("memory") || lower.contains("cpu") || lower.contains("pids") {
            return error(
                .invalidArgument,
                "the Docker engine does not accept a limit: check ARGUS_RUNTIME_CPUS, _MEM_LIMIT and so on")
        }
        if lower.contains("bind source path does not exist") || lower.contains("mounts denied") {
            return error(
                .unavailable,
                "the Docker engine cannot mount \(spec.settings.home): make it, or set ARGUS_HOME_HOST_PATH to a path of the engine's machine"
            )
        }
        return error(.unavailable, "the Docker engine could not \(verb) the container \(spec.name)")
    }

    static func missingImage(_ image: String, _ reason: String) -> ArgusError {
        ArgusError(
            .unavailable,
            "the image \(image) is not on the Docker engine and could not be pulled: docker compose build runtime, or set ARGUS_RUNTIME_IMAGE",
            cause: EngineMessage(text: reason))
    }

    private static func noArgus(_ image: String, _ message: String) -> ArgusError {
        ArgusError(
            .unavailable,
            "the image \(image) has no argus in its PATH: docker compose build runtime, or set ARGUS_RUNTIME_IMAGE",
            cause: EngineMessage(text: message))
    }

    static func nameTaken(_ spec: ContainerSpec) -> ArgusError {
        ArgusError(
            .conflict,
            "the name \(spec.name) is taken by a container of another installation: docker rm -f \(spec.name), or set ARGUS_CONTAINER_PREFIX"
        )
    }

    /// A container that doesn't stay up.
    static func ended(_ spec: ContainerSpec, _ container: Container, log: String) -> ArgusError {
        let limit = spec.settings.docker.limits.memoryBytes.map { " (\($0) bytes)" } ?? ""
        if container.wasKilledForMemory {
            return ArgusError(
                .exhausted,
                "the container \(spec.name) was killed for lack of memory\(limit): raise ARGUS_RUNTIME_MEM_LIMIT")
        }
        // The init of the container starts in any image, so only its exit tells.
        if container.exitCode == Container.commandNotFound { return noArgus(spec.settings.docker.image, log) }
        let reason = container.error.isEmpty ? "exit code \(container.exitCode)" : container.error
        return ArgusError(
            .unavailable, "the container \(spec.name) does not stay up (\(reason)): docker logs \(spec.name)",
            cause: log.isEmpty ? nil : EngineMessage(text: log))
    }

    /// A container that is not reached in time, as it was seen last.
    static func late(_ spec: ContainerSpec, _ container: Container?, _ limit: Duration) -> ArgusError {
        guard let container else {
            return ArgusError(
                .timedOut,
                "the Docker engine did not make the container \(spec.name) within \(limit): is it overloaded? ARGUS_CONNECT_TIMEOUT_S gives it longer"
            )
        }
        guard let address = container.address else {
            return ArgusError(
                .unavailable,
                "the container \(spec.name) has no address in the network \(spec.settings.docker.network): docker inspect \(spec.name)"
            )
        }
        return ArgusError(
            .timedOut,
            "nothing answers on \(address):\(ContainerSpec.port) of the container \(spec.name) after \(limit): see docker logs \(spec.name); a worker in a container must be in the network \(spec.settings.docker.network) too"
        )
    }
}

/// The engine's own words.
struct EngineMessage: Error, CustomStringConvertible {
    let text: String

    var description: String { text.count > 500 ? "\(text.prefix(500))…" : text }
}
