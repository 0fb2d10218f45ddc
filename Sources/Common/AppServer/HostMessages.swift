/// Words that the runtime host and the worker must agree on.
package enum HostMessages {
    /// The error of a request that was passed on to an app-server which died before it answered (code -32000).
    package static let runtimeRestarted = "runtime restarted"
}
