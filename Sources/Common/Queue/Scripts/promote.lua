#!lua flags=allow-oom
-- Wakes what was delayed and is due.
-- KEYS[1] delayed (zset by due time, ms)
-- ARGV[1] base  ARGV[2] most subjects
-- Returns {how many were due, ms until the next is due or -1}.
-- Invariant: a subject leaves the set in the step that gives it a live entry or lets it rest.
local now = nowMilliseconds()
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(now), 'LIMIT', 0, ARGV[2])
for _, subject in ipairs(due) do
    local shape = shapeOf(ARGV[1], subject)
    redis.call('ZREM', KEYS[1], subject)
    redis.call('HDEL', shape.hash, 'delayedUntil')
    if not redis.call('HGET', shape.hash, 'ready') and isOwed(shape) then grant(shape) end
end
local nextDue = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
return { #due, nextDue and math.max(0, tonumber(nextDue) - now) or -1 }
