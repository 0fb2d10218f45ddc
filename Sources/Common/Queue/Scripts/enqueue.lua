#!lua
-- Appends one command to a session's inbox, once for each dedupe key, and wakes whoever runs the session. What helps to
-- free memory is run with the flag allow-oom.
-- KEYS[1] session hash  KEYS[2] inbox  KEYS[3] clients  KEYS[4] dedupe key
-- ARGV[1] base  ARGV[2] sid  ARGV[3] dedupe TTL, s  ARGV[4] inbox limit, entries  ARGV[5] inbox limit, bytes
-- ARGV[6] kind  ARGV[7] client  ARGV[8] ingress  ARGV[9] after ('' = none)  ARGV[10…] fields of the entry, flat
-- Returns {'accepted', id, depth, attach cursor or ''}, {'duplicate', id, answer or nil}, {'full'} or {'unknown'}.
-- Invariant: what was accepted is in the inbox, and the session has a live entry, an owner who is told, or a due time.
local state = redis.call('HMGET', KEYS[1], 'ready', 'owner', 'delayedUntil', 'lastToken', 'createdAt', 'inboxBytes',
    'pool')
if not state[5] then return { 'unknown' } end
local known = redis.call('GET', KEYS[4])
if known then
    local id, answer = string.match(known, '^(%S+) (.*)$')
    return { 'duplicate', id or known, answer or false }
end
local bytes, fields = 0, {}
for index = 10, #ARGV do
    fields[index - 9] = ARGV[index]
    bytes = bytes + #ARGV[index]
end
local held, depth = tonumber(state[6] or '0'), redis.call('XLEN', KEYS[2])
if depth >= tonumber(ARGV[4]) or held + bytes > tonumber(ARGV[5]) then return { 'full' } end

local id = redis.call('XADD', KEYS[2], '*', unpack(fields))
redis.call('HSET', KEYS[1], 'lastEntry', id, 'inboxBytes', whole(held + bytes))
local memory, cursor = id, ''
if ARGV[6] == 'attach' then
    cursor = attachClient(KEYS[1], KEYS[3], ARGV[7], ARGV[8])
    if ARGV[9] ~= '' then cursor = ARGV[9] end
    memory = id .. ' ' .. cursor -- so that a repeat of the attach learns it too
elseif ARGV[6] == 'close' then
    detachClient(KEYS[1], KEYS[3], ARGV[7])
end
redis.call('SET', KEYS[4], memory, 'EX', ARGV[3])
wake(shapeOf(ARGV[1], 'session:' .. ARGV[2], state[7] or 'default'), state)
return { 'accepted', id, depth + 1, cursor }
