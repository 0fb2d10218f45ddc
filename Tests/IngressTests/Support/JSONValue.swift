import ArgusAppServer
import NIOCore

/// A JSON value to be looked into: what isn't there is `null`.
struct JSONValue {
    private let slice: JSONSlice?

    init(_ text: String) throws {
        slice = try JSONSlice.parse(text)
    }

    private init(_ slice: JSONSlice?) {
        self.slice = slice
    }

    subscript(key: String) -> JSONValue { JSONValue(slice?[key]) }
    var string: String? { slice?.string }
    var int: Int? { slice?.int }
    var bool: Bool? { slice?.bool }
    var text: String { slice?.text ?? "null" }
}
