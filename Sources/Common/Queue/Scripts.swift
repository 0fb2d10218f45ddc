import ArgusRedis

/// The transitions, each a Lua file of Scripts/, with the preludes it is built on.
enum Scripts {
    static let open = make("open", PackageResources.open_lua)
    static let enqueue = make("enqueue", PackageResources.enqueue_lua, lease, attendance)
    /// The same on full memory too.
    static let enqueueAnyway = make(
        "enqueue", PackageResources.enqueue_lua, lease, attendance, flags: "allow-oom")
    static let claim = make("claim", PackageResources.claim_lua, lease)
    static let publish = make("publish", PackageResources.publish_lua, lease, attendance, effects)
    static let settle = make("settle", PackageResources.settle_lua, lease, attendance, effects)
    static let renew = make("renew", PackageResources.renew_lua, lease)
    static let release = make("release", PackageResources.release_lua, lease)
    static let reap = make("reap", PackageResources.reap_lua, lease, bury)
    static let promote = make("promote", PackageResources.promote_lua, lease)
    static let remove = make("remove", PackageResources.remove_lua, lease)
    static let outbox = make("outbox", PackageResources.outbox_lua, lease)
    static let deliver = make("deliver", PackageResources.deliver_lua, lease, bury)
    static let replay = make("replay", PackageResources.replay_lua, lease)
    static let describe = make("describe", PackageResources.describe_lua)
    static let forgetDefault = make("forgetdefault", PackageResources.forgetdefault_lua)
    static let sweep = make("sweep", PackageResources.sweep_lua)

    private static let lease = PackageResources.lease_lua
    private static let attendance = PackageResources.attendance_lua
    private static let effects = PackageResources.effects_lua
    private static let bury = PackageResources.bury_lua

    /// Redis reads flags from the first line only, so that line of the script comes before its preludes.
    private static func make(
        _ name: String, _ body: [UInt8], _ preludes: [UInt8]..., flags: String? = nil
    ) -> RedisScript {
        let text = String(decoding: body, as: UTF8.self)
        let end = text.firstIndex(of: "\n") ?? text.endIndex
        let before = preludes.map { String(decoding: $0, as: UTF8.self) }
        let first = flags.map { "#!lua flags=\($0)" } ?? String(text[..<end])
        let source = ([first] + before + [String(text[end...])]).joined(separator: "\n")
        return RedisScript(name: name, source: source)
    }
}
