-- Keeps the poll lease, if it is still the caller's.
-- KEYS[1] poller
-- ARGV[1] ingress  ARGV[2] lease, ms
-- Returns 1, or 0 if another process holds it (or nobody).
-- Invariant: a lease that lapsed is never revived by its old holder.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
