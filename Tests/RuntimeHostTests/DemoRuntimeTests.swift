import Foundation
import Testing

@testable import ArgusDemoRuntime

@Suite("Demo runtime")
struct DemoRuntimeTests {
    @Test("Directives are found anywhere in a text; commands go to the end of their line or the next directive")
    func directives() {
        let found = Directives(
            "hi !delay=20 there!chunks=9\n!approve=rm -rf x !tool=ls -l\n!fail=\"out of luck\" !tokens=5")
        #expect(found.delay == 20)
        #expect(found.chunks == 1, "a ! inside a word is none")
        #expect(found.commands == [.approve("rm -rf x"), .tool("ls -l")])
        #expect(found.failure == "out of luck")
        #expect(found.tokens == 5)
        #expect(Directives("no directives, wow!") == Directives(""))
        #expect(Directives("!crashonce please\nother").crashesOnce == "!crashonce please")
    }

    @Test("The answer repeats the text, padded to its size")
    func answers() {
        #expect(Answer.text(to: "hello", size: 0) == "echo: hello")
        #expect(Answer.text(to: "hello", size: 20).utf8.count == 20)
        #expect(Answer.text(to: " Help\n", size: 0) == DemoRuntime.introduction)
        #expect(Answer.spoken("# Project Context\n\n[A]\nx\n[/A]\n\nthe words\n\nmore") == "the words\n\nmore")
        #expect(Answer.spoken("plain [/A]") == "plain [/A]")
    }

    @Test("Chunks join to the text and cut no character", arguments: [1, 2, 3, 7, 100])
    func chunks(count: Int) {
        let text = "echo: é€😀 and on"
        let parts = Answer.chunks(of: text, count: count)
        #expect(parts.joined() == text)
        #expect(parts.allSatisfy { !$0.contains("\u{FFFD}") && !$0.isEmpty })
        #expect(parts.count <= count)
    }
}
