/// Everything that is wrong with the configuration, so that a person mends it in one go.
package struct ConfigurationErrors: Error, Sendable, CustomStringConvertible {
    package struct Entry: Sendable, Equatable {
        package let variable: String
        /// A sentence: what is wrong, what is allowed, an example. Never a secret.
        package let message: String

        package init(variable: String, message: String) {
            self.variable = variable
            self.message = message
        }
    }

    package let entries: [Entry]

    package init(_ entries: [Entry]) {
        self.entries = entries
    }

    /// One line each.
    package var description: String {
        entries.map(\.message).joined(separator: "\n")
    }
}
