#!lua
-- Notes which runtime a session has, for people and lists.
-- KEYS[1] session hash
-- ARGV[1] token  ARGV[2] what runs it, as JSON
-- Returns 'ok' or 'fenced'.
-- Invariant: only the owner writes, so a session that was deleted is not brought back.
if redis.call('HGET', KEYS[1], 'ready') ~= ARGV[1] then return 'fenced' end
redis.call('HSET', KEYS[1], 'runtime', ARGV[2])
return 'ok'
