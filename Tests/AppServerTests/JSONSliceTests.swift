import ArgusAppServer
import ArgusCore
import NIOCore
import Testing

@Suite("JSON slices")
struct JSONSliceTests {
    @Test("Members, elements and values are read where they stand")
    func reading() throws {
        let text =
            #" {"a":{"b":[1,"two",null,true,{"c":-3}]},"big":1e3,"half":1.5,"s":"\u00e9\n\"\ud83d\ude00\ud800"} "#
        let root = try JSONSlice.parse(text)
        #expect(root.isObject)
        let list = try #require(root["a"]?["b"])
        #expect(list.isArray)
        #expect(list.elements.map(\.text) == ["1", "\"two\"", "null", "true", "{\"c\":-3}"])
        #expect(list.elements[0].int == 1)
        #expect(list.elements[1].string == "two")
        #expect(list.elements[2].isNull)
        #expect(list.elements[3].bool == true)
        #expect(list.elements[4]["c"]?.int == -3)
        #expect(root["big"]?.int == 1000)
        #expect(root["half"]?.int == nil)
        #expect(root["half"]?.double == 1.5)
        #expect(root["s"]?.string == "é\n\"😀\u{FFFD}")
        #expect(root["missing"] == nil)
        #expect(root["a"]?["b"]?["c"] == nil)
        #expect(root.members.map(\.key) == ["a", "big", "half", "s"])
    }

    @Test("A key may be written with escapes, and of a repeated key the last counts")
    func keys() throws {
        let root = try JSONSlice.parse(#"{"\u0069d":1,"x":2,"x":3,"a\"b":4}"#)
        #expect(root["id"]?.int == 1)
        #expect(root["x"]?.int == 3)
        #expect(root["a\"b"]?.int == 4)
    }

    @Test("Bytes share the line's storage, whatever the line's reader index is")
    func bytes() throws {
        var buffer = ByteBuffer(string: "xxx{\"k\":[1, 2]}")
        buffer.moveReaderIndex(forwardBy: 3)
        let value = try #require(try JSONSlice.parse(buffer)["k"])
        #expect(String(buffer: value.bytes) == "[1, 2]")
        #expect(value.elements.map(\.int) == [1, 2])
        #expect(value.json.text == "[1, 2]")
    }

    @Test("Asking a value for what it isn't gives nothing")
    func mismatches() throws {
        for text in ["1", "\"1\"", "true", "null", "[]", "{}"] {
            let value = try JSONSlice.parse(text)
            let answers = [
                value.int != nil, value.string != nil, value.bool != nil, value.isNull, value.isArray, value.isObject,
            ]
            #expect(answers.filter { $0 }.count == 1, "\(text)")
        }
    }
}
