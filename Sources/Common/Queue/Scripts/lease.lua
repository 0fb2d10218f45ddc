-- Prelude: leases over the pending list of a stream, for sessions and for chats alike.
--
-- A subject is what is leased: `session:<sid>` or `chat:<channel>:<chat>`; its hash is `<base>:<subject>` and holds
--   ready         `<ready|running>|<entry id>` of its one live entry; absent = at rest (or delayed)
--   lastToken     highest entry id ever granted to it; only grows
--   owner         who claimed the live entry; absent = unclaimed
--   lastEntry     newest id of its inbox or outbox
--   delayedUntil  Redis's time in ms before which nothing wakes it
--   takeovers     dead owners in a row that got nothing done
-- Invariant: a subject has at most one live entry, and each new one has a greater id than all before it.

local function nowMilliseconds()
    local time = redis.call('TIME')
    return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function whole(number)
    return string.format('%.0f', number)
end

local function isLater(left, right)
    local leftTime, leftSequence = string.match(left, '^(%d+)-(%d+)$')
    local rightTime, rightSequence = string.match(right, '^(%d+)-(%d+)$')
    leftTime, rightTime = tonumber(leftTime), tonumber(rightTime)
    if leftTime ~= rightTime then return leftTime > rightTime end
    return tonumber(leftSequence) > tonumber(rightSequence)
end

-- The keys of a subject. `owing` are hashes that keep it from resting while they have fields. `pool` of a session: nil
-- reads it.
local function shapeOf(base, subject, pool)
    local kind, name = string.match(subject, '^(%a+):(.*)$')
    local shape = { base = base, subject = subject, name = name, hash = base .. ':' .. subject }
    if kind == 'session' then
        shape.group = 'workers'
        shape.ready = base .. ':ready:' .. (pool or redis.call('HGET', shape.hash, 'pool') or 'default')
        shape.running = shape.ready .. ':running'
        shape.entries = base .. ':inbox:' .. name
        shape.bytes = 'inboxBytes'
        shape.lanes = base .. ':lanes:' .. name
        shape.owing = { shape.lanes, base .. ':pending:' .. name, base .. ':clients:' .. name }
    else
        shape.group = 'delivery'
        shape.ready = base .. ':delivery:' .. string.match(name, '^([^:]*):')
        shape.entries = base .. ':outbox:' .. name
        shape.owing = {}
    end
    return shape
end

local function isOwed(shape)
    if redis.call('XLEN', shape.entries) > 0 then return true end
    for _, key in ipairs(shape.owing) do
        if redis.call('HLEN', key) > 0 then return true end
    end
    return false
end

-- What `grant` and `wake` look at: a caller that reads the hash anyhow reads these first, and saves them the trip.
local leaseFields = { 'ready', 'owner', 'delayedUntil', 'lastToken' }

-- Adds the live entry. Its id is the greater of the stream's next and lastToken + 1. Ends any ownership and delay.
local function grant(shape, lease)
    lease = lease or redis.call('HMGET', shape.hash, unpack(leaseFields))
    local suffix = 'ready'
    if shape.lanes and redis.call('HLEN', shape.lanes) > 0 then suffix = 'running' end
    local stream = shape[suffix]
    local last = lease[4]
    local id = redis.call('XADD', stream, '*', 'subject', shape.subject)
    if last and not isLater(id, last) then
        -- This stream is behind the subject's last token (same millisecond in the other stream, or a clock stepped
        -- back). Blocked readers are served after the script, so nobody sees the first id.
        redis.call('XDEL', stream, id)
        local time, sequence = string.match(last, '^(%d+)-(%d+)$')
        id = redis.call('XADD', stream, time .. '-' .. whole(tonumber(sequence) + 1), 'subject', shape.subject)
    end
    redis.call('HSET', shape.hash, 'ready', suffix .. '|' .. id, 'lastToken', id)
    if lease[2] or lease[3] then redis.call('HDEL', shape.hash, 'owner', 'delayedUntil') end
    return id
end

-- Removes the live entry `token`, and with it the lease.
local function dropEntry(shape, token)
    local suffix, id = string.match(token, '^(%a+)|(.*)$')
    pcall(redis.call, 'XACK', shape[suffix], shape.group, id)
    redis.call('XDEL', shape[suffix], id)
end

local function rest(shape)
    redis.call('HDEL', shape.hash, 'ready', 'owner', 'takeovers')
end

local function delay(shape, milliseconds)
    local due = whole(nowMilliseconds() + milliseconds)
    redis.call('HDEL', shape.hash, 'ready', 'owner')
    redis.call('HSET', shape.hash, 'delayedUntil', due)
    redis.call('ZADD', shape.base .. ':delayed', due, shape.subject)
end

-- After work was added: makes sure that somebody looks at it.
local function wake(shape, lease)
    lease = lease or redis.call('HMGET', shape.hash, unpack(leaseFields))
    if lease[1] then
        if lease[2] then redis.call('SPUBLISH', shape.base .. ':wake:' .. lease[2], shape.name) end
        return
    end
    if lease[3] then
        if tonumber(lease[3]) > nowMilliseconds() then return end
        redis.call('ZREM', shape.base .. ':delayed', shape.subject)
    end
    grant(shape, lease)
end

-- Appends a dead letter, given as field, value, … So many are kept; above it the oldest goes.
local function addLetter(stream, ...)
    redis.call('XADD', stream, 'MAXLEN', 10000, '*', ...)
end

-- A chat holds so many undelivered replies; above it the oldest goes, and `dropped` in its hash counts it. Only where
-- nobody delivers, or a channel is away for days, does it come to that.
local outboxLimit = 10000

-- Appends a reply or a note for one chat, and wakes whoever delivers it. Returns its id.
local function appendOutbox(base, channel, chat, sid, body)
    local shape = shapeOf(base, 'chat:' .. channel .. ':' .. chat)
    local id = redis.call('XADD', shape.entries, '*', 'session', sid, 'body', body)
    local surplus = redis.call('XLEN', shape.entries) - outboxLimit
    if surplus > 0 then
        redis.call('XTRIM', shape.entries, 'MAXLEN', outboxLimit)
        redis.call('HINCRBY', shape.hash, 'dropped', surplus)
    end
    redis.call('HSET', shape.hash, 'lastEntry', id)
    wake(shape)
    return id
end
