import ArgusAppServer
import ArgusCore
import Foundation

/// Runs the steps of turns until they wait or end.
extension DemoServer {
    func run(_ active: ActiveTurn) {
        active.waiting = .nothing
        waiting[active.id] = nil
        while let step = active.plan.popFirst() {
            perform(step, active)
            if case .nothing = active.waiting { continue }
            if case .timer = active.waiting { waiting[active.id] = active }
            if case .answer = active.waiting { waiting[active.id] = active }
            return
        }
    }

    private func perform(_ step: DemoStep, _ active: ActiveTurn) {
        switch step {
        case .wait(let milliseconds): active.waiting = .timer(deadline: now + milliseconds)
        case .write(let line): output.raw(line)
        case .writeLong(let bytes):
            let prefix = "{\"method\":\"demo/longLine\",\"params\":{\"filler\":\""
            output.raw(prefix, fillerBytes: bytes - prefix.utf8.count - 3, "\"}}")
        case .tool(let command):
            let item = newID()
            started(commandItem(item, command, status: "inProgress"), in: active)
            completed(commandItem(item, command, status: "completed"), in: active)
        case .approve(let command): ask(command, active)
        case .openMessage:
            let item = "msg_\(newID())"
            active.openMessage = item
            started(messageItem(item, ""), in: active)
        case .delta(let text):
            let delta = ",\"itemId\":\"\(active.openMessage ?? "")\",\"delta\":\(JSON.quote(text))"
            output.notify("item/agentMessage/delta", place(active, "", delta), at: now)
        case .closeMessage(let text):
            let item = messageItem(active.openMessage ?? "msg_\(newID())", text)
            completed(item, in: active)
            active.thread.answer(with: item)
            active.openMessage = nil
        case .crash:
            _ = flush()
            _exit(1)
        case .hang: active.waiting = .forever
        case .fail(let message): fail(message, active)
        case .complete:
            reportTokens(active)
            end(active, .completed)
        case .fallSilent:
            reportTokens(active)
            end(active, .completed, silently: true)
        }
    }

    private func messageItem(_ id: String, _ text: String) -> String {
        """
        {"type":"agentMessage","id":"\(id)","text":\(JSON.quote(text)),"phase":null,"memoryCitation":null,\
        "delivery":null,"questions":null}
        """
    }

    private func commandItem(_ id: String, _ command: String, status: String) -> String {
        let isDone = status == "completed"
        let output = isDone ? JSON.quote("(the demo runtime runs nothing)\n") : "null"
        return """
            {"type":"commandExecution","id":"call_\(id)","command":\(JSON.quote(command)),"cwd":\(JSON.quote(home)),\
            "processId":null,"source":"agent","status":"\(status)",\
            "commandActions":[{"type":"unknown","command":\(JSON.quote(command))}],\
            "aggregatedOutput":\(output),"exitCode":\(isDone ? "0" : "null"),"durationMs":\(isDone ? "0" : "null")}
            """
    }

    private func reportTokens(_ active: ActiveTurn) {
        let count = active.tokens
        let usage = """
            {"totalTokens":\(count),"inputTokens":\(count - count / 3),"cachedInputTokens":0,"cacheWriteInputTokens":0,\
            "outputTokens":\(count / 3),"reasoningOutputTokens":0}
            """
        let params = place(
            active, "", ",\"tokenUsage\":{\"total\":\(usage),\"last\":\(usage),\"modelContextWindow\":258400}")
        output.notify("thread/tokenUsage/updated", params, at: now)
    }

    private func fail(_ message: String, _ active: ActiveTurn) {
        let error = """
            {"message":\(JSON.quote(message)),"codexErrorInfo":"other","additionalDetails":null,"misalignment":null}
            """
        output.notify("error", place(active, "\"error\":\(error),\"willRetry\":false,", ""), at: now)
        end(active, .failed, error: error)
    }

    private func ask(_ command: String, _ active: ActiveTurn) {
        let item = newID()
        started(commandItem(item, command, status: "inProgress"), in: active)
        let request = nextRequest
        nextRequest += 1
        active.waiting = .answer(request: request, item: item, command: command)
        changeStatus(active.thread, DemoThread.waiting)
        let quoted = JSON.quote(command)
        output.request(
            request, "item/commandExecution/requestApproval",
            place(
                active, "\"kind\":\"command\",",
                """
                ,"itemId":"call_\(item)","startedAtMs":\(now),"environmentId":"local","reason":null,\
                "command":\(quoted),"cwd":\(JSON.quote(home)),\
                "commandActions":[{"type":"unknown","command":\(quoted)}],\
                "availableDecisions":["accept","decline","cancel"]
                """))
    }

    func resolve(_ request: Int, in active: ActiveTurn) {
        output.notify(
            "serverRequest/resolved", "{\"threadId\":\"\(active.thread.id)\",\"requestId\":\(request)}", at: now)
    }

    /// An answer to an approval; one that nobody waits for is ignored.
    func answer(_ message: RPCMessage) {
        guard let id = message.id?.int else { return }
        for active in waiting.values {
            guard case .answer(let request, let item, let command) = active.waiting, request == id else { continue }
            resolve(request, in: active)
            changeStatus(active.thread, DemoThread.running)
            let decision = message.result?["decision"]
            let accepted =
                ["accept", "acceptForSession"].contains(decision?.string ?? "") || decision?.isObject == true
            completed(commandItem(item, command, status: accepted ? "completed" : "declined"), in: active)
            if decision?.string == "cancel" {
                end(active, .interrupted)
            } else {
                run(active)
            }
            return
        }
    }

    /// For poll: -1 without a timer.
    func millisecondsToNextTimer() -> Int32 {
        let deadlines = waiting.values.compactMap { active -> Int? in
            guard case .timer(let deadline) = active.waiting else { return nil }
            return deadline
        }
        guard let next = deadlines.min() else { return -1 }
        return Int32(clamping: max(0, next - WallClock.now))
    }

    func runTimers() {
        guard !waiting.isEmpty else { return }
        now = WallClock.now
        for active in Array(waiting.values) {
            if case .timer(let deadline) = active.waiting, deadline <= now { run(active) }
        }
    }
}
