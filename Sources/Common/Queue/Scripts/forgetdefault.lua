#!lua flags=allow-oom
-- Before a session is deleted: should it be the installation's default, the next who asks makes another one.
-- KEYS[1] default
-- ARGV[1] sid
-- Returns 1 if it was the default, else 0.
-- Invariant: another session's being the default is never touched.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
