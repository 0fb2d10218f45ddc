#!lua flags=allow-oom
-- Says that a process lives: for people, and for noticing whose connections are gone. Never a lease.
-- KEYS[1] hash of the process
-- ARGV[1] TTL, ms  ARGV[2…] fields, flat
-- Returns 'ok'.
-- Invariant: the hash never outlives its TTL.
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 'ok'
