-- Gives the poll lease up, if it is the caller's.
-- KEYS[1] poller
-- ARGV[1] ingress
-- Returns 1, or 0 if there was nothing to give up.
-- Invariant: nobody ends the lease of another.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
