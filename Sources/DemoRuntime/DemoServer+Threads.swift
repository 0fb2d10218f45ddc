import ArgusAppServer
import ArgusCore

/// What concerns whole threads and the record.
extension DemoServer {
    func threadID(_ params: JSONSlice) throws(DemoFailure) -> String {
        guard let id = params["threadId"]?.string else {
            throw DemoFailure(message: "Invalid request: missing field `threadId`")
        }
        return id
    }

    /// A thread that can run turns: started here, or resumed.
    func loaded(_ params: JSONSlice) throws(DemoFailure) -> DemoThread {
        let id = try threadID(params)
        guard let thread = threads[id] else { throw DemoFailure(message: "thread not found: \(id)") }
        return thread
    }

    /// A thread to be looked at, loaded or not.
    private func readable(_ params: JSONSlice) throws(DemoFailure) -> DemoThread {
        let id = try threadID(params)
        guard let thread = threads[id] ?? store.load(id) else {
            throw DemoFailure(message: "no rollout found for thread id \(id)")
        }
        return thread
    }

    private func json(_ thread: DemoThread, turns: DemoTurn.View? = nil) -> String {
        let isLoaded = threads[thread.id] != nil
        return thread.json(
            status: isLoaded ? thread.status : "{\"type\":\"notLoaded\"}", turns: turns,
            path: store.path(of: thread.id))
    }

    private func opening(_ thread: DemoThread, turns: DemoTurn.View?) -> String {
        """
        {"thread":\(json(thread, turns: turns)),"model":"demo","modelProvider":"demo","cwd":\(JSON.quote(thread.cwd)),\
        "approvalPolicy":"never","sandbox":{"type":"dangerFullAccess"},"reasoningEffort":null}
        """
    }

    func startThread(_ params: JSONSlice, id: String) throws(DemoFailure) {
        let thread = DemoThread(id: newID(), createdAt: now / 1000, cwd: params["cwd"]?.string ?? home)
        try store.acquire(thread.id)
        threads[thread.id] = thread
        output.respond(id, opening(thread, turns: nil))
        output.notify("thread/started", "{\"thread\":\(json(thread))}", at: now)
    }

    func resumeThread(_ params: JSONSlice, id: String) throws(DemoFailure) {
        let thread = try readable(params)
        if threads[thread.id] == nil {
            try store.acquire(thread.id)
            threads[thread.id] = thread
        }
        let hidesTurns = params["excludeTurns"]?.bool == true
        output.respond(id, opening(thread, turns: hidesTurns ? nil : .full))
    }

    func readThread(_ params: JSONSlice, id: String) throws(DemoFailure) {
        let thread = try readable(params)
        let view: DemoTurn.View? = params["includeTurns"]?.bool == true ? .full : nil
        output.respond(id, "{\"thread\":\(json(thread, turns: view))}")
    }

    /// Pages of turns, the newest first unless asked otherwise; a cursor is the id of the last turn shown.
    func listTurns(_ params: JSONSlice, id: String) throws(DemoFailure) {
        let thread = try readable(params)
        let view = DemoTurn.View(rawValue: params["itemsView"]?.string ?? "summary") ?? .summary
        let limit = max(1, min(params["limit"]?.int ?? 25, 500))
        var turns = params["sortDirection"]?.string == "asc" ? thread.turns : thread.turns.reversed()
        if let cursor = params["cursor"]?.string {
            guard let index = turns.firstIndex(where: { $0.id == cursor }) else {
                throw DemoFailure(message: "invalid cursor: \(cursor)")
            }
            turns.removeFirst(index + 1)
        }
        let page = turns.prefix(limit)
        let next = turns.count > limit ? page.last.map { JSON.quote($0.id) } ?? "null" : "null"
        let data = page.map { $0.json(view) }.joined(separator: ",")
        output.respond(id, "{\"data\":[\(data)],\"nextCursor\":\(next),\"backwardsCursor\":null}")
    }

    func listThreads(_ params: JSONSlice, id: String) {
        let limit = max(1, min(params["limit"]?.int ?? 25, 100))
        var ids = store.all()
        if let cursor = params["cursor"]?.string { ids = Array(ids.drop { $0 >= cursor }) }
        let page = ids.prefix(limit)
        let data = page.compactMap { id in (threads[id] ?? store.load(id)).map { json($0) } }
        let next = ids.count > limit ? page.last.map { JSON.quote($0) } ?? "null" : "null"
        output.respond(id, "{\"data\":[\(data.joined(separator: ","))],\"nextCursor\":\(next)}")
    }

    func revertThread(_ params: JSONSlice, id: String) throws(DemoFailure) {
        let thread = try loaded(params)
        guard let turn = params["beforeTurnId"]?.string else {
            throw DemoFailure(message: "Invalid request: missing field `beforeTurnId`")
        }
        guard thread.active == nil else { throw DemoFailure(message: "cannot revert while a turn is in progress") }
        guard thread.revert(before: turn) else { throw DemoFailure(message: "turn not found: \(turn)") }
        store.append(thread, "{\"t\":\"revert\",\"before\":\(JSON.quote(turn))}")
        output.respond(id, "{\"thread\":\(json(thread))}")
    }

    func nameThread(_ params: JSONSlice, id: String) throws(DemoFailure) {
        let thread = try loaded(params)
        thread.name = params["name"]?.string
        let name = JSON.quote(thread.name ?? "")
        if !thread.turns.isEmpty { store.append(thread, "{\"t\":\"name\",\"name\":\(name)}") }
        output.respond(id, "{}")
        output.notify("thread/name/updated", "{\"threadId\":\"\(thread.id)\",\"threadName\":\(name)}", at: now)
    }

    /// Unloads: the file stays where it is.
    func archiveThread(_ params: JSONSlice, id: String) throws(DemoFailure) {
        let thread = try loaded(params)
        guard thread.active == nil else { throw DemoFailure(message: "cannot archive while a turn is in progress") }
        threads[thread.id] = nil
        store.release(thread.id)
        output.respond(id, "{}")
    }
}
