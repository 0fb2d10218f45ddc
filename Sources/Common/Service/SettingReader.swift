/// Reads settings one by one, and remembers every error instead of stopping at the first.
///
/// An empty value counts as unset: compose files and shells hand on variables that way.
struct SettingReader {
    private let environment: [String: String]
    private let overrides: [String: String]
    private(set) var errors: [ConfigurationErrors.Entry] = []

    /// `overrides`: values of flags, by the name of the variable.
    init(environment: [String: String], overrides: [String: String]) {
        self.environment = environment
        self.overrides = overrides
    }

    func text(_ setting: Setting) -> String? {
        let value = overrides[setting.variable] ?? environment[setting.variable] ?? ""
        return value.isEmpty ? nil : value
    }

    /// The value as `convert` understands it; an error is noted and `fallback` returned when it does not.
    mutating func value<Value>(
        _ setting: Setting, fallback: Value, convert: (String) -> Value?
    ) -> Value {
        guard let text = text(setting) else { return fallback }
        if let value = convert(text) { return value }
        refuse(setting, text)
        return fallback
    }

    mutating func number(_ setting: Setting, in range: ClosedRange<Int>, fallback: Int) -> Int {
        value(setting, fallback: fallback) { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// Bytes, plain or with k, m or g (of 1024).
    mutating func bytes(_ setting: Setting, in range: ClosedRange<Int>, fallback: Int) -> Int {
        value(setting, fallback: fallback) { text in
            Self.bytes(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    mutating func seconds(_ setting: Setting, in range: ClosedRange<Double>, fallback: Double) -> Duration {
        let seconds = value(setting, fallback: fallback) { text in
            Double(text).flatMap { range.contains($0) ? $0 : nil }
        }
        return .seconds(seconds)
    }

    /// A short name that is safe in keys.
    mutating func name(_ setting: Setting, fallback: String) -> String {
        value(setting, fallback: fallback) { text in
            let allowed = text.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
            return allowed && text.utf8.count <= 32 ? text : nil
        }
    }

    /// Whole numbers separated by commas or spaces.
    mutating func identifiers(_ setting: Setting, allows: (Int64) -> Bool) -> Set<Int64> {
        value(setting, fallback: []) { text in
            var identifiers: Set<Int64> = []
            for part in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
                guard let identifier = Int64(part), allows(identifier) else { return nil }
                identifiers.insert(identifier)
            }
            return identifiers
        }
    }

    mutating func refuse(_ setting: Setting, _ value: String, because reason: String? = nil) {
        let reason = reason.map { " (\($0))" } ?? ""
        let shown = setting.isSecret ? "its value" : "\"\(Self.shown(value))\""
        note(setting, "\(shown) is not valid\(reason); it must be \(setting.allowed)")
    }

    /// Notes an error that says itself what is allowed.
    mutating func note(_ setting: Setting, _ problem: String) {
        // Named as the person wrote it.
        let isFlag = overrides[setting.variable] != nil
        let source = isFlag ? "--\(setting.flag)" : setting.variable
        let example = isFlag ? "--\(setting.flag) \(setting.shellExample)" : "\(setting.variable)=\(setting.example)"
        let message = "\(source): \(problem); for example \(example)"
        errors.append(ConfigurationErrors.Entry(variable: setting.variable, message: message))
    }

    /// `text` on one line, at most 80 characters.
    private static func shown(_ text: String) -> String {
        let line = String(text.map { $0.isNewline ? " " : $0 })
        return line.count > 80 ? "\(line.prefix(80))…" : line
    }

    private static func bytes(_ text: String) -> Int? {
        let shift: Int =
            switch text.last {
            case "k", "K": 10
            case "m", "M": 20
            case "g", "G": 30
            default: 0
            }
        guard let number = Int(shift == 0 ? text[...] : text.dropLast()), number >= 0 else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
        return overflow ? nil : bytes
    }
}
