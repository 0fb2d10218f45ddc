-- Prelude: giving up on what a subject owes, and telling whoever sent it.

-- An attached client gets an error as its answer to inbox entry `id`, and so does who sends it again under its key; a
-- chat gets a note. Needs no owner.
local function tellSender(shape, id, fields, notice)
    if fields.rid and fields.client then
        local frame = '{"id":' .. fields.rid .. ',"error":{"code":-32000,"message":' .. cjson.encode(notice) .. '}}'
        local events = shape.base .. ':events:' .. shape.name
        local event = redis.call('XADD', events, '*', 'f', frame, 'to', fields.client, 'k', 'a', 'e', id)
        redis.call('HSET', shape.hash, 'lastEvent', event)
        redis.call('HINCRBY', shape.hash, 'eventsBytes', #frame)
        redis.call('HINCRBY', shape.hash, 'segmentBytes', #frame)
        redis.call('HINCRBY', shape.hash, 'segmentCount', 1)
        redis.call('SPUBLISH', events, event)
        local key = fields.dedupe and shape.base .. ':dedupe:' .. shape.name .. ':' .. fields.dedupe
        if key and redis.call('EXISTS', key) == 1 then redis.call('SET', key, id .. ' ' .. frame, 'KEEPTTL') end
    end
    local readable, body = pcall(cjson.decode, fields.source or fields.body or '')
    if not readable or type(body) ~= 'table' then return end
    local source = fields.source and body or body.source
    if type(source) ~= 'table' or type(source.channel) ~= 'string' or type(source.chatKey) ~= 'string' then return end
    appendOutbox(shape.base, source.channel, source.chatKey, shape.name, cjson.encode({ kind = 'note', text = notice }))
end

-- Copies one entry of an inbox or outbox to the dead letters. The caller deletes it.
local function buryEntry(shape, entry, reason)
    local dead = shape.base .. ':dead'
    if shape.lanes then
        addLetter(dead, 'what', 'input', 'reason', reason, 'session', shape.name, 'entry', entry[1], unpack(entry[2]))
    else
        local channel, chat = string.match(shape.name, '^([^:]*):(.*)$')
        addLetter(dead, 'what', 'reply', 'reason', reason, 'entry', entry[1], 'channel', channel, 'chat', chat,
            unpack(entry[2]))
    end
end

-- Frees the lane that carries inbox entry `id`, which is a letter of its own. Without an entry: all lanes become
-- letters.
local function buryLanes(shape, id, reason)
    local rows = redis.call('HGETALL', shape.lanes)
    for index = 1, #rows, 2 do
        if not id then
            addLetter(shape.base .. ':dead', 'what', 'lane', 'reason', reason, 'session', shape.name,
                'lane', rows[index], 'record', rows[index + 1])
        end
        if not id or string.find(rows[index + 1], '"' .. id .. '"', 1, true) then
            redis.call('HDEL', shape.lanes, rows[index])
        end
    end
end

-- Moves the oldest entry to the dead letters and frees the lane that carries it; all lanes, if there is no entry.
local function buryHead(shape, reason)
    local head = redis.call('XRANGE', shape.entries, '-', '+', 'COUNT', 1)[1]
    if shape.lanes then buryLanes(shape, head and head[1], reason) end
    if not head then return end
    buryEntry(shape, head, reason)
    redis.call('XDEL', shape.entries, head[1])
    if not shape.lanes then
        redis.call('HDEL', shape.hash, 'entry', 'part', 'state', 'tries')
        return
    end
    local fields, size = {}, 0
    for index = 1, #head[2], 2 do
        fields[head[2][index]] = head[2][index + 1]
        size = size + #head[2][index] + #head[2][index + 1]
    end
    redis.call('HINCRBY', shape.hash, 'inboxBytes', -size)
    tellSender(shape, head[1], fields, 'Argus gave up on this input: ' .. reason)
end
