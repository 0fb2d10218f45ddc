#!lua flags=allow-oom
-- Takes over what nobody renews: each entry pending for longer than the lease. One that was handed out and not claimed
-- has no owner yet: it waits a third of that, if whoever got it has done nothing since.
-- KEYS streams of one group
-- ARGV[1] base  ARGV[2] group  ARGV[3] lease, ms  ARGV[4] most entries for each stream
-- ARGV[5] take-overs without progress before backing off  ARGV[6] and before the head is buried
-- ARGV[7…] `ready` or `running` for each of KEYS
-- Returns the subjects that were taken over.
-- Invariant: a replaced entry never comes back; no lease within its time is touched.
local function takeOver(shape)
    local owned = redis.call('HGET', shape.hash, 'owner')
    if not isOwed(shape) then return rest(shape) end
    local stuck = redis.call('XLEN', shape.entries) > 0 or shape.lanes and redis.call('HLEN', shape.lanes) > 0
    if not owned or not stuck then return grant(shape) end
    -- Only an owner that died with work in hand counts: it may be the work that killed it.
    local count = redis.call('HINCRBY', shape.hash, 'takeovers', 1)
    if count >= tonumber(ARGV[6]) then
        buryHead(shape, 'its owner died ' .. count .. ' times in a row without getting anything done')
        redis.call('HDEL', shape.hash, 'takeovers')
        if isOwed(shape) then grant(shape) else rest(shape) end
    elseif count >= tonumber(ARGV[5]) then
        delay(shape, math.min(30000, 1000 * 2 ^ (count - tonumber(ARGV[5]))))
    else
        grant(shape)
    end
end

local function pending(stream, idle)
    local rows = redis.pcall('XPENDING', stream, ARGV[2], 'IDLE', idle, '-', '+', ARGV[4])
    return rows.err and {} or rows -- no such group yet: nothing was ever delivered
end

-- Whose reader died or was stopped just then. A busy one goes on claiming, so its consumer isn't idle.
local function addUnclaimed(rows, stream, suffix)
    local patience, silent = math.floor(tonumber(ARGV[3]) / 3), nil
    for _, row in ipairs(pending(stream, patience)) do
        local entry = row[3] < tonumber(ARGV[3]) and redis.call('XRANGE', stream, row[1], row[1])[1]
        local state = entry and redis.call('HMGET', ARGV[1] .. ':' .. entry[2][2], 'ready', 'owner')
        if state and state[1] == suffix .. '|' .. row[1] and not state[2] then
            if not silent then
                silent = {}
                for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, ARGV[2])) do
                    silent[consumer[2]] = consumer[6] >= patience -- name, pending, idle and their values
                end
            end
            if silent[row[2]] then rows[#rows + 1] = row end
        end
    end
end

local taken = {}
for index, stream in ipairs(KEYS) do
    local rows = pending(stream, ARGV[3])
    addUnclaimed(rows, stream, ARGV[6 + index])
    for _, row in ipairs(rows) do
        local entry = redis.call('XRANGE', stream, row[1], row[1])[1]
        local shape = entry and shapeOf(ARGV[1], entry[2][2])
        local live = shape and redis.call('HGET', shape.hash, 'ready') == ARGV[6 + index] .. '|' .. row[1]
        redis.call('XACK', stream, ARGV[2], row[1])
        redis.call('XDEL', stream, row[1])
        if live then
            takeOver(shape)
            taken[#taken + 1] = shape.subject
        end
    end
end
return taken
