#!lua flags=allow-oom
-- Removes consumers of processes long gone from a group.
-- KEYS[1] stream
-- ARGV[1] group  ARGV[2] idle, ms
-- Returns how many were removed.
-- Invariant: a consumer with pending entries stays, because its rows are leases.
local rows = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if rows.err then return 0 end
local removed = 0
for _, row in ipairs(rows) do
    local consumer = {}
    for index = 1, #row, 2 do consumer[row[index]] = row[index + 1] end
    if consumer.pending == 0 and consumer.idle > tonumber(ARGV[2]) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
        removed = removed + 1
    end
end
return removed
