#!lua
-- Notes which runtime a session has, for people and lists.
-- KEYS[1] session hash
-- ARGV[1] what runs it, as JSON
-- Returns 1, or 0 when there is no such session.
-- Invariant: a session that was deleted is not brought back.
if redis.call('HEXISTS', KEYS[1], 'createdAt') == 0 then return 0 end
redis.call('HSET', KEYS[1], 'runtime', ARGV[1])
return 1
