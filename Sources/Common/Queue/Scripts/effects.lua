-- Prelude: an owner's one write. Fenced by its token, repeatable by revision; publish.lua and settle.lua run it.
--
-- KEYS[1] session hash  [2] events  [3] marks  [4] inbox  [5] lanes  [6] names  [7] pending  [8] clients
-- [9] sysevents  [10] dead  [11…] dedupe keys that effects name by index
-- ARGV[1] base  ARGV[2] sid  ARGV[3] token  ARGV[4] revision it starts from  ARGV[5] cursor ('' = unchanged)
-- ARGV[6] events limit, bytes  ARGV[7] events limit, entries
-- ARGV[8…] effects, flat, each an operation and its operands (`=value` is a value, '' is none):
--   E frame =to kind entry     event                R frame =to record       request, and its pending row
--   P event                    pending row deleted  B lane row               lane begun, unless it has a row
--   L lane row                 lane set             U lane                   lane deleted
--   N name thread              name set             M name                   name deleted
--   D entry                    inbox entry done     A key-index answer       first answer of a dedupe key
--   O channel chat body        outbox               S event                  system event done
--   V field value              session field set    X record                 buried
--   C client                   client gone          W field                session field deleted
-- Returns {'committed', {event id or '' per effect}}, {'fenced'} or {'stale', revision, cursor}.
-- Invariant: all effects, the cursor and revision + 1 are written in one step, or nothing is.
--
-- Events are trimmed by segments: `marks` lists `<last event id> <bytes>` of each closed segment, oldest first, so
-- that trimming never reads what it drops. What a commit adds, that commit never trims.

local operands = {
    E = 4, R = 3, P = 1, B = 2, L = 2, U = 1, N = 2, M = 1, D = 1, A = 2, O = 3, S = 1, V = 2, X = 1, C = 1,
    W = 1,
}

local function check()
    local index = 8
    while index <= #ARGV do
        local count = operands[ARGV[index]]
        if not count or index + count > #ARGV then return 'ERR malformed effect at ARGV[' .. index .. ']' end
        index = index + count + 1
    end
end

-- Bytes of the inbox entries that this commit settles.
local freed = 0

local function done(id)
    local entry = redis.call('XRANGE', KEYS[4], id, id)[1]
    if not entry then return end
    for _, text in ipairs(entry[2]) do freed = freed + #text end
    redis.call('XDEL', KEYS[4], id)
end

local function answer(key, frame)
    local known = redis.call('GET', key)
    if not known then return end -- its 48 h are over
    redis.call('SET', key, string.match(known, '^%S+') .. ' ' .. frame, 'KEEPTTL')
end

-- Applies one effect that adds no event. `at` is the index of its operation.
local function apply(operation, at)
    local a, b = ARGV[at + 1], ARGV[at + 2]
    if operation == 'B' then redis.call('HSETNX', KEYS[5], a, b)
    elseif operation == 'L' then redis.call('HSET', KEYS[5], a, b)
    elseif operation == 'U' then redis.call('HDEL', KEYS[5], a)
    elseif operation == 'D' then done(a)
    elseif operation == 'P' then redis.call('HDEL', KEYS[7], a)
    elseif operation == 'V' then redis.call('HSET', KEYS[1], a, b)
    elseif operation == 'W' then redis.call('HDEL', KEYS[1], a)
    elseif operation == 'N' then redis.call('HSET', KEYS[6], a, b)
    elseif operation == 'M' then redis.call('HDEL', KEYS[6], a)
    elseif operation == 'A' then answer(KEYS[tonumber(a)], b)
    elseif operation == 'O' then appendOutbox(ARGV[1], a, b, ARGV[2], ARGV[at + 3])
    elseif operation == 'S' then redis.call('XDEL', KEYS[9], a)
    elseif operation == 'C' then detachClient(KEYS[1], KEYS[8], a)
    elseif operation == 'X' then
        local readable, record = pcall(cjson.decode, a)
        local reason = readable and type(record) == 'table' and type(record.reason) == 'string' and record.reason
        addLetter(KEYS[10], 'what', 'turn', 'reason', reason or '', 'session', ARGV[2], 'record', a)
    end
end

local function addEvent(operation, at)
    local frame, to = ARGV[at + 1], ARGV[at + 2]
    local fields = { 'f', frame }
    if to ~= '' then
        fields[3], fields[4] = 'to', string.sub(to, 2)
    end
    local kind = operation == 'R' and 'r' or ARGV[at + 3]
    if kind ~= '' then
        fields[#fields + 1] = 'k'
        fields[#fields + 1] = kind
    end
    if operation == 'E' and ARGV[at + 4] ~= '' then
        fields[#fields + 1] = 'e'
        fields[#fields + 1] = ARGV[at + 4]
    end
    local id = redis.call('XADD', KEYS[2], '*', unpack(fields))
    if operation == 'R' then redis.call('HSET', KEYS[7], id, ARGV[at + 3]) end
    return id, #frame
end

-- Closes the open segment when it is a 64th of a limit, and drops the oldest ones while over a limit.
local function trim(total, open, openCount, last, before)
    local limit, most = tonumber(ARGV[6]), tonumber(ARGV[7])
    if open * 64 >= limit or openCount * 64 >= most then
        redis.call('RPUSH', KEYS[3], last .. ' ' .. whole(open))
        open, openCount = 0, 0
    end
    local trimmedTo
    local over = redis.call('XLEN', KEYS[2]) - most
    while total > limit or over > 0 do
        local id, bytes = string.match(redis.call('LINDEX', KEYS[3], 0) or '', '^(%S+) (%d+)$')
        if not id or isLater(id, before) then break end
        redis.call('LPOP', KEYS[3])
        total = total - tonumber(bytes)
        local time, sequence = string.match(id, '^(%d+)-(%d+)$')
        over = over - redis.call('XTRIM', KEYS[2], 'MINID', time .. '-' .. whole(tonumber(sequence) + 1))
        trimmedTo = id
    end
    return total, open, openCount, trimmedTo
end

local function commit()
    local state = redis.call('HMGET', KEYS[1], 'ready', 'revision', 'cursor', 'eventsBytes', 'segmentBytes',
        'segmentCount', 'lastEvent', 'inboxBytes')
    if state[1] ~= ARGV[3] then return { 'fenced' } end
    if state[2] ~= ARGV[4] then return { 'stale', tonumber(state[2]), state[3] or '' } end
    local problem = check()
    if problem then return redis.error_reply(problem) end

    local ids, progress = {}, false
    local bytes, count, last = 0, 0, nil
    local index = 8
    while index <= #ARGV do
        local operation = ARGV[index]
        if operation == 'E' or operation == 'R' then
            local id, size = addEvent(operation, index)
            ids[#ids + 1], last, bytes, count = id, id, bytes + size, count + 1
            -- A client that leaves later in this commit has this event before it.
        else
            if operation == 'C' and last then redis.call('HSET', KEYS[1], 'lastEvent', last) end
            apply(operation, index)
            ids[#ids + 1] = ''
        end
        progress = progress or operation ~= 'V'
        index = index + operands[operation] + 1
    end

    local changes = { 'revision', whole(tonumber(ARGV[4]) + 1) }
    local function change(field, value)
        changes[#changes + 1] = field
        changes[#changes + 1] = value
    end
    if ARGV[5] ~= '' then change('cursor', ARGV[5]) end
    if progress then change('takeovers', '0') end
    if freed > 0 then change('inboxBytes', whole((tonumber(state[8]) or 0) - freed)) end
    if last then
        local total, open, openCount, trimmedTo = trim((tonumber(state[4]) or 0) + bytes,
            (tonumber(state[5]) or 0) + bytes, (tonumber(state[6]) or 0) + count, last, state[7] or '0-0')
        change('lastEvent', last)
        change('eventsBytes', whole(total))
        change('segmentBytes', whole(open))
        change('segmentCount', whole(openCount))
        if trimmedTo then change('eventsTrimmedTo', trimmedTo) end
    end
    redis.call('HSET', KEYS[1], unpack(changes))
    if last then redis.call('SPUBLISH', KEYS[2], last) end
    return { 'committed', ids }
end
