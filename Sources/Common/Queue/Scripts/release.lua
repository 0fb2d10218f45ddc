#!lua flags=allow-oom
-- An owner gives its subject up: at rest if nothing is owed, else ready for the next one at once or after a delay.
-- KEYS[1] hash of the subject
-- ARGV[1] base  ARGV[2] subject  ARGV[3] token  ARGV[4] id the next token must exceed ('' = none)  ARGV[5] delay, ms
-- Returns 'rest', 'ready', 'delayed' or 'fenced'.
-- Invariant: what is owed has a live entry or a due time.
local state = redis.call('HMGET', KEYS[1], 'ready', 'pool')
if state[1] ~= ARGV[3] then return 'fenced' end
local shape = shapeOf(ARGV[1], ARGV[2], state[2] or 'default')
dropEntry(shape, ARGV[3])
if ARGV[4] ~= '' and isLater(ARGV[4], redis.call('HGET', KEYS[1], 'lastToken')) then
    redis.call('HSET', KEYS[1], 'lastToken', ARGV[4])
end
if not isOwed(shape) then
    rest(shape)
    return 'rest'
end
if tonumber(ARGV[5]) > 0 then
    delay(shape, tonumber(ARGV[5]))
    return 'delayed'
end
grant(shape)
return 'ready'
