-- Stores the offset after a batch, unless another process polls by now.
-- KEYS[1] poller  KEYS[2] offset
-- ARGV[1] ingress  ARGV[2] offset
-- Returns 1, or 0 if the caller's lease is gone.
-- Invariant: the offset is written by the holder of the lease only.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1
