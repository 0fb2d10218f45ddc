import Logging
import ServiceLifecycle

/// What a runtime-host process consists of. Run it with `endsWithServices: true`: the host ends by itself when told to.
package enum RuntimeHostServices {
    package static func make(_ configuration: RuntimeHostConfiguration, logger: Logger) -> [any Service] {
        [RuntimeHost(configuration, logger: logger)]
    }
}
