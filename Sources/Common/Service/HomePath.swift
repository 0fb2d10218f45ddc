import Glibc

/// Paths as people write them, made absolute.
package enum HomePath {
    /// The home that the flag names, else the variable, else where it is when nobody says; empty counts as unset.
    package static func home(flag: String?, environment: [String: String]) -> String {
        let overrides = flag.map { [Setting.home.variable: $0] } ?? [:]
        return home(SettingReader(environment: environment, overrides: overrides), environment: environment)
    }

    static func home(_ reader: SettingReader, environment: [String: String]) -> String {
        resolve(reader.text(.home) ?? Setting.home.fallback ?? "", environment: environment)
    }

    /// `~` is `$HOME`; what is relative starts from the current directory. No slash at the end.
    package static func resolve(_ path: String, environment: [String: String]) -> String {
        var path = path
        if path == "~" || path.hasPrefix("~/") {
            path = (environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "/root") + path.dropFirst()
        }
        if !path.hasPrefix("/") {
            path = currentDirectory + "/" + (path.hasPrefix("./") ? String(path.dropFirst(2)) : path)
        }
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    private static var currentDirectory: String {
        guard let pointer = getcwd(nil, 0) else { return "" }
        defer { free(pointer) }
        return String(cString: pointer)
    }
}
