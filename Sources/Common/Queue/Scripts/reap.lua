#!lua flags=allow-oom
-- Takes over what nobody renews: each entry pending for longer than the lease.
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

local taken = {}
for index, stream in ipairs(KEYS) do
    local rows = redis.pcall('XPENDING', stream, ARGV[2], 'IDLE', ARGV[3], '-', '+', ARGV[4])
    if rows.err then rows = {} end -- no such group yet: nothing was ever delivered
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
