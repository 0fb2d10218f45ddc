import Foundation

/// What the command line asks for.
struct ChaosOptions: Sendable {
    var seconds = 120
    var seed = UInt64.random(in: 1...999_999_999)
    var conversations = 10
    var workers = 3
    var ingress = 2
    /// ARGUS_QUEUE_MODE
    var mode = "followup"
    /// Leave Redis's and the runtime's files where they are.
    var keeps = false

    init(_ arguments: [String]) throws {
        var words = arguments.dropFirst()[...]
        while let word = words.popFirst() {
            if word == "--keep" {
                keeps = true
                continue
            }
            if word == "--mode", let mode = words.popFirst(), ["collect", "followup"].contains(mode) {
                self.mode = mode
                continue
            }
            guard let text = words.popFirst(), let number = UInt64(text), number > 0 else {
                throw ChaosUsage()
            }
            switch word {
            case "--seconds": seconds = Int(number)
            case "--seed": seed = number
            case "--conversations": conversations = Int(number)
            case "--workers": workers = Int(number)
            case "--ingress": ingress = Int(number)
            default: throw ChaosUsage()
            }
        }
    }
}

struct ChaosUsage: Error, CustomStringConvertible {
    let description =
        "argus-chaos [--seconds 120] [--seed N] [--conversations 10] [--workers 3] [--ingress 2] [--mode followup|collect] [--keep]"
}
