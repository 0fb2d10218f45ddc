/// The version of everything in this package.
package enum ArgusVersion {
    package static let current = "0.1.0"
}
