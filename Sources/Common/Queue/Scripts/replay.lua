#!lua
-- Puts a dead letter back where it came from, or drops it.
-- KEYS[1] dead
-- ARGV[1] base  ARGV[2] id  ARGV[3] replay|drop
-- Returns 'replayed', 'dropped', 'gone' (no such letter), 'unknown' (its session is deleted) or 'empty' (nothing in it
-- can be put back; drop it).
-- Invariant: a letter leaves the dead stream in the step that puts it back, so it is never put back twice.
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if not entry then return 'gone' end
if ARGV[3] == 'drop' then
    redis.call('XDEL', KEYS[1], ARGV[2])
    return 'dropped'
end
local letter, fields, inputs = {}, {}, {}
-- Who sent it has had an answer already.
local own = { what = true, reason = true, session = true, entry = true, client = true, rid = true, dedupe = true }
for index = 1, #entry[2], 2 do
    local name, value = entry[2][index], entry[2][index + 1]
    letter[name] = value
    if not own[name] then
        fields[#fields + 1] = name
        fields[#fields + 1] = value
    end
end
if letter.what == 'reply' then
    appendOutbox(ARGV[1], letter.channel, letter.chat, letter.session or '', letter.body)
else
    local session = ARGV[1] .. ':session:' .. letter.session
    if redis.call('HEXISTS', session, 'createdAt') == 0 then return 'unknown' end
    if letter.what == 'input' then
        -- Anything but a turn was a question whose sender has been told.
        if letter.kind == 'turn' then inputs[1] = fields end
    else
        -- A worker's record: {"reason":…, "inputs":[{field: text, …}, …]}.
        local readable, record = pcall(cjson.decode, letter.record or '')
        local listed = readable and type(record) == 'table' and record.inputs
        for _, input in ipairs(type(listed) == 'table' and listed or {}) do
            local flat = {}
            for name, value in pairs(type(input) == 'table' and input or {}) do
                if type(value) == 'string' then
                    flat[#flat + 1] = name
                    flat[#flat + 1] = value
                end
            end
            if #flat > 0 then inputs[#inputs + 1] = flat end
        end
    end
    if #inputs == 0 then return 'empty' end
    for _, flat in ipairs(inputs) do
        local size = 0
        for _, text in ipairs(flat) do size = size + #text end
        local id = redis.call('XADD', ARGV[1] .. ':inbox:' .. letter.session, '*', unpack(flat))
        redis.call('HSET', session, 'lastEntry', id)
        redis.call('HINCRBY', session, 'inboxBytes', size)
    end
    wake(shapeOf(ARGV[1], 'session:' .. letter.session))
end
redis.call('XDEL', KEYS[1], ARGV[2])
return 'replayed'
