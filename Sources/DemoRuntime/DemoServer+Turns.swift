import ArgusAppServer
import ArgusCore
import Foundation

/// Turns: how they start, what may come between, and how they end.
extension DemoServer {
    func startTurn(_ params: JSONSlice, id: String) throws(DemoFailure) {
        let thread = try loaded(params)
        let (content, spoken) = try Self.input(params)
        let client = params["clientUserMessageId"].map(\.text) ?? "null"
        if let active = thread.active {
            // As in Codex: a second turn/start while one runs goes into the running turn.
            output.respond(id, "{\"turn\":\(thread.turns.last?.json(.notLoaded) ?? "null")}")
            steer(active, content: content, client: client, spoken: spoken)
            return
        }
        let turn = DemoTurn(id: newID(), life: life, startedAt: now / 1000)
        let (plan, tokens) = plan(spoken)
        let active = ActiveTurn(id: turn.id, thread: thread, startedAt: now, plan: plan, tokens: tokens)
        thread.append(turn)
        thread.active = active
        thread.isInError = false
        if thread.preview.isEmpty { thread.preview = String(spoken.prefix(200)) }
        store.append(thread, ThreadStore.beginning(turn))
        let json = turn.json(.notLoaded)
        output.respond(id, "{\"turn\":\(json)}")
        changeStatus(thread, DemoThread.running)
        output.notify("turn/started", "{\"threadId\":\"\(thread.id)\",\"turn\":\(json)}", at: now)
        say(content: content, client: client, in: active)
        run(active)
    }

    func steer(_ params: JSONSlice, id: String) throws(DemoFailure) {
        let thread = try loaded(params)
        guard let active = thread.active else { throw DemoFailure(message: "no active turn to steer") }
        try expect(params["expectedTurnId"]?.string ?? "", in: active)
        let (content, spoken) = try Self.input(params)
        output.respond(id, "{\"turnId\":\"\(active.id)\"}")
        steer(active, content: content, client: params["clientUserMessageId"].map(\.text) ?? "null", spoken: spoken)
    }

    /// What was being said is dropped and the new message answered; an open approval is waited for first.
    private func steer(_ active: ActiveTurn, content: String, client: String, spoken: String) {
        say(content: content, client: client, in: active)
        let (plan, tokens) = plan(spoken)
        active.plan = plan[...]
        active.tokens += tokens
        active.openMessage = nil
        guard !active.isWaitingForApproval else { return }
        run(active)
    }

    func interrupt(_ params: JSONSlice, id: String) throws(DemoFailure) {
        let thread = try loaded(params)
        guard let active = thread.active else { throw DemoFailure(message: "no active turn to interrupt") }
        try expect(params["turnId"]?.string ?? "", in: active)
        output.respond(id, "{}")
        if case .answer(let request, _, _) = active.waiting { resolve(request, in: active) }
        end(active, .interrupted)
    }

    private func expect(_ turn: String, in active: ActiveTurn) throws(DemoFailure) {
        guard turn == active.id else {
            throw DemoFailure(message: "expected active turn id `\(turn)` but found `\(active.id)`")
        }
    }

    private func plan(_ spoken: String) -> (steps: [DemoStep], tokens: Int) {
        let directives = Directives(spoken)
        let crashes = directives.crashes || directives.crashesOnce.map(store.shouldCrash) == true
        let tokens = directives.tokens ?? 100 + spoken.utf8.count / 2
        return (ActiveTurn.plan(directives, spoken: spoken, crashes: crashes), tokens)
    }

    /// The input as Codex shows it, and the last text in it.
    private static func input(_ params: JSONSlice) throws(DemoFailure) -> (content: String, spoken: String) {
        guard let input = params["input"] else { throw DemoFailure(message: "Invalid request: missing field `input`") }
        var parts: [String] = []
        var spoken = ""
        for element in input.elements {
            if element["type"]?.string == "text", let text = element["text"] {
                parts.append("{\"type\":\"text\",\"text\":\(text.text),\"text_elements\":[]}")
                spoken = text.string ?? ""
            } else if element["url"]?.string?.hasPrefix("http") == true {
                throw DemoFailure(message: "remote image URLs are not supported; use an inline data URL instead")
            } else {
                parts.append(element.text)
            }
        }
        return ("[\(parts.joined(separator: ","))]", Answer.spoken(spoken))
    }

    private func say(content: String, client: String, in active: ActiveTurn) {
        item(
            "{\"type\":\"userMessage\",\"id\":\"\(newID())\",\"clientId\":\(client),\"content\":\(content)}", in: active
        )
    }

    /// An item that is complete as soon as it has started.
    private func item(_ item: String, in active: ActiveTurn) {
        started(item, in: active)
        completed(item, in: active)
    }

    func started(_ item: String, in active: ActiveTurn) {
        output.notify("item/started", place(active, "\"item\":\(item),", ",\"startedAtMs\":\(now)"), at: now)
    }

    func completed(_ item: String, in active: ActiveTurn) {
        active.thread.add(item: item)
        store.append(active.thread, "{\"t\":\"item\",\"item\":\(item)}")
        output.notify("item/completed", place(active, "\"item\":\(item),", ",\"completedAtMs\":\(now)"), at: now)
    }

    /// Params that name the thread and the turn.
    func place(_ active: ActiveTurn, _ before: String, _ after: String) -> String {
        "{\(before)\"threadId\":\"\(active.thread.id)\",\"turnId\":\"\(active.id)\"\(after)}"
    }

    func changeStatus(_ thread: DemoThread, _ status: String) {
        output.notify("thread/status/changed", "{\"threadId\":\"\(thread.id)\",\"status\":\(status)}", at: now)
    }

    func end(_ active: ActiveTurn, _ status: DemoTurn.Status, error: String = "null", silently: Bool = false) {
        let thread = active.thread
        waiting[active.id] = nil
        thread.active = nil
        thread.isInError = status == .failed
        thread.endTurn(status, at: now / 1000, durationMs: now - active.startedAt, error: error)
        changeStatus(thread, thread.status)
        guard let turn = thread.turns.last else { return }
        store.append(thread, ThreadStore.end(turn))
        if !silently {
            output.notify(
                "turn/completed", "{\"threadId\":\"\(thread.id)\",\"turn\":\(turn.json(.summary))}", at: now)
        }
        store.compactIfLarge(thread)
    }
}
