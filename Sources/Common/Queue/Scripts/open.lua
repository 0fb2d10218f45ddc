#!lua
-- Makes a session known, once.
-- KEYS[1] session hash  KEYS[2] sessions (zset by creation)
-- ARGV[1] sid  ARGV[2] pool  ARGV[3] secret  ARGV[4] '1' = create if missing
-- Returns 'exists', 'created' or 'unknown'.
-- Invariant: secret, pool and createdAt never change while the session exists.
if redis.call('HEXISTS', KEYS[1], 'createdAt') == 1 then return 'exists' end
if ARGV[4] ~= '1' then return 'unknown' end
local time = redis.call('TIME')
local createdAt = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
redis.call('HSET', KEYS[1], 'createdAt', createdAt, 'pool', ARGV[2], 'secret', ARGV[3], 'revision', '0')
redis.call('ZADD', KEYS[2], createdAt, ARGV[1])
return 'created'
