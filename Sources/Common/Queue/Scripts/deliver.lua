#!lua flags=allow-oom
-- A deliverer's one write: how far the head of a chat's outbox has come, or that it is done, or given up.
-- KEYS[1] chat hash  KEYS[2] outbox  KEYS[3] dead
-- ARGV[1] base  ARGV[2] subject  ARGV[3] token  ARGV[4] progress|done|bury  ARGV[5] entry
-- ARGV[6] part (progress) or reason (bury)  ARGV[7] state  ARGV[8] tries
-- Returns 'ok', 'fenced', or 'gone' if the entry is no longer there (a repeat).
-- Invariant: an entry leaves the outbox once, and only by the chat's owner.
if redis.call('HGET', KEYS[1], 'ready') ~= ARGV[3] then return 'fenced' end
local entry = redis.call('XRANGE', KEYS[2], ARGV[5], ARGV[5])[1]
if not entry then return 'gone' end
if ARGV[4] == 'progress' then
    redis.call('HSET', KEYS[1], 'entry', ARGV[5], 'part', ARGV[6], 'state', ARGV[7], 'tries', ARGV[8], 'takeovers', 0)
    return 'ok'
end
if ARGV[4] == 'bury' then buryEntry(shapeOf(ARGV[1], ARGV[2]), entry, ARGV[6]) end
redis.call('XDEL', KEYS[2], ARGV[5])
redis.call('HDEL', KEYS[1], 'entry', 'part', 'state', 'tries', 'takeovers')
return 'ok'
