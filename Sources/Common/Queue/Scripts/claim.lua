#!lua flags=allow-oom
-- Makes a worker (or deliverer) the owner of what XREADGROUP delivered to it, if that is still the live entry.
-- KEYS[1] hash of the subject  KEYS[2] stream of the entry  KEYS[3] its inbox or outbox
-- KEYS[4…] hashes to return with it
-- ARGV[1] base  ARGV[2] subject  ARGV[3] token  ARGV[4] worker  ARGV[5] how many entries of KEYS[3] to return
-- Returns nil (not the live entry: removed, or replaced), else {first entries of KEYS[3], HGETALL of KEYS[1],
-- HGETALL of KEYS[4], …}.
-- Invariant: one token never has two owners.
local id = string.match(ARGV[3], '|(.*)$')
local state = redis.call('HMGET', KEYS[1], 'ready', 'owner', 'pool')
local shape = shapeOf(ARGV[1], ARGV[2], state[3] or 'default')
if state[1] ~= ARGV[3] then
    redis.call('XACK', KEYS[2], shape.group, id)
    redis.call('XDEL', KEYS[2], id)
    return false
end
if state[2] and state[2] ~= ARGV[4] then
    -- Delivered twice, which only a group made anew can do: a new entry fences the first owner.
    dropEntry(shape, ARGV[3])
    grant(shape)
    return false
end
redis.call('XCLAIM', KEYS[2], shape.group, ARGV[4], 0, id, 'FORCE', 'JUSTID')
redis.call('HSET', KEYS[1], 'owner', ARGV[4])
local reply = { redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', ARGV[5]), redis.call('HGETALL', KEYS[1]) }
for index = 4, #KEYS do reply[#reply + 1] = redis.call('HGETALL', KEYS[index]) end
return reply
