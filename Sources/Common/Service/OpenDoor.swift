extension Configuration {
    /// What an ingress has to say at its start where it lets everybody in; nil where only this machine reaches it, or a
    /// token is asked for.
    package var openDoorWarning: String? {
        let isLocal = host == "localhost" || host == "::1" || host.hasPrefix("127.")
        guard token == nil, !isLocal else { return nil }
        return "\(host) may be reached from other machines and there is no ARGUS_TOKEN: whoever finds the port can use "
            + "the assistant and its shell. Set ARGUS_TOKEN, or listen on 127.0.0.1"
    }
}
