#!lua flags=allow-oom
-- Renews the leases of one owner in one shard.
-- KEYS hashes of the subjects, one for each pair of ARGV
-- ARGV[1] base  ARGV[2] worker  ARGV[3…] pairs: subject, token (at most 500 pairs)
-- Returns a list as long as the pairs: newest inbox (outbox) id, '0-0' if there was none, nil = no longer owned.
-- Invariant: only a live entry of this owner is renewed; what a reaper replaced stays replaced.
local reply, streams, groups = {}, {}, {}
for index = 3, #ARGV, 2 do
    local state = redis.call('HMGET', KEYS[(index - 1) / 2], 'ready', 'owner', 'lastEntry', 'pool')
    local owned = state[1] == ARGV[index + 1] and state[2] == ARGV[2]
    reply[#reply + 1] = owned and (state[3] or '0-0') or false
    if owned then
        local shape = shapeOf(ARGV[1], ARGV[index], state[4] or 'default')
        local suffix, id = string.match(ARGV[index + 1], '^(%a+)|(.*)$')
        local stream = shape[suffix]
        groups[stream] = shape.group
        streams[stream] = streams[stream] or {}
        table.insert(streams[stream], id)
    end
end
for stream, ids in pairs(streams) do
    ids[#ids + 1] = 'FORCE'
    ids[#ids + 1] = 'JUSTID'
    redis.call('XCLAIM', stream, groups[stream], ARGV[2], 0, unpack(ids))
end
return reply
