#!lua flags=allow-oom
-- Deletes a session; its owner has stopped the runtime.
-- KEYS[1] session hash  KEYS[2] sessions  KEYS[3] delayed  KEYS[4] events  KEYS[5…] all other keys of the session
-- ARGV[1] base  ARGV[2] sid  ARGV[3] token
-- Returns 'removed' or 'fenced'. Who follows the events gets `removed` published on their channel.
-- Invariant: with the hash goes the live entry, so no owner is left.
if redis.call('HGET', KEYS[1], 'ready') ~= ARGV[3] then return 'fenced' end
local shape = shapeOf(ARGV[1], 'session:' .. ARGV[2])
dropEntry(shape, ARGV[3])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], shape.subject)
redis.call('UNLINK', KEYS[1], unpack(KEYS, 4))
redis.call('SPUBLISH', KEYS[4], 'removed')
return 'removed'
