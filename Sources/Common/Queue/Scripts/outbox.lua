#!lua
-- Appends a reply or note that no owner writes (a refusal, a command's answer), once for each dedupe key.
-- KEYS[1] dedupe key
-- ARGV[1] base  ARGV[2] sid  ARGV[3] channel  ARGV[4] chat  ARGV[5] body  ARGV[6] dedupe TTL, s (0 = no dedupe)
-- Returns the outbox id, also for a repeat.
-- Invariant: what is in the outbox has a live entry, a deliverer who is told, or a due time.
local deduped = tonumber(ARGV[6]) > 0
local known = deduped and redis.call('GET', KEYS[1])
if known then return known end
local id = appendOutbox(ARGV[1], ARGV[3], ARGV[4], ARGV[2], ARGV[5])
if deduped then redis.call('SET', KEYS[1], id, 'EX', ARGV[6]) end
return id
