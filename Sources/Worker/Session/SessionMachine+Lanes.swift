import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

extension SessionMachine {
    mutating func startNext(_ key: String) {
        guard var lane = lanes[key] else { return }
        let actions = lane.next(surroundings(of: key))
        lanes[key] = lane
        perform(actions, on: key)
    }

    private func surroundings(of key: String) -> LaneSurroundings {
        LaneSurroundings(
            thread: thread(of: key), name: name(of: key), now: wallClock, knowsContext: context.isFresh(at: now),
            hasHeartbeat: !HeartbeatFile.isEmpty(context.heartbeat))
    }

    func name(of key: String) -> String? {
        key.hasPrefix("name:") ? String(key.dropFirst("name:".count)) : nil
    }

    /// Lets one lane decide, then carries out what it says.
    mutating func with(_ key: String, _ decide: (inout Lane) -> [Lane.Action]) {
        guard var lane = lanes[key] else { return }
        let actions = decide(&lane)
        lanes[key] = lane
        lastSign[key] = now
        perform(actions, on: key)
    }

    mutating func perform(_ actions: [Lane.Action], on key: String) {
        for action in actions {
            switch action {
            case .fetchContext: fetchContext()
            case .begin:
                mustNotFail = true
                lastSign[key] = now
                // With a request to follow, `persist` is not needed: the row says what is sent next.
                guard let row = lanes[key]?.row else { break }
                effects.append(.laneBegin(lane: key, row: row.buffer))
                count(.started, row)
            case .persist:
                if let row = lanes[key]?.row { effects.append(.laneSet(lane: key, row: row.buffer)) }
            case .request: send(on: key)
            case .answerStarted: answerStarted(key)
            case .tellEnd(let end): tellEnd(end)
            case .skip(let entries): skip(entries, on: key)
            case .steer(let entry): steer(entry, on: key)
            case .stop: interruptTurn(of: key, "stop")
            case .settle(let ending): settle(key, ending)
            case .bury(let reason): bury(key, reason: reason + (runtime.lastEnd.map { " (\($0))" } ?? ""))
            }
        }
    }

    mutating func fetchContext() {
        guard !context.isBeingFetched else { return }
        context.isBeingFetched = true
        if runtime.isUp { sends.append(.context) }
    }

    mutating func contextArrived(_ answer: JSONSlice) {
        let isFirst = !context.isKnown
        context.update(answer, at: now)
        for key in lanes.keys.sorted() {
            guard let lane = lanes[key] else { continue }
            if lane.awaitsContext {
                with(key) { [around = surroundings(of: key)] in $0.contextArrived(around) }
            } else if isFirst, lane.row?.isWorded == true {
                send(on: key)
            }
        }
    }

    private mutating func skip(_ entries: [StreamID], on key: String) {
        effects += entries.map(Effect.done)
        if lanes[key]?.isIdle == true { lanes[key] = nil }
    }
}
