-- Prelude: who is attached to a session. `unattendedFrom` is the last event somebody attached may have seen.

-- Returns the event id from which a newly attached client is to be fed.
local function attachClient(session, clients, client, ingress)
    local state = redis.call('HMGET', session, 'unattendedFrom', 'lastEvent')
    local alone = redis.call('HLEN', clients) == 0
    redis.call('HSET', clients, client, ingress)
    if state[1] then redis.call('HDEL', session, 'unattendedFrom') end
    return alone and state[1] or state[2] or '0-0'
end

local function detachClient(session, clients, client)
    if redis.call('HDEL', clients, client) == 0 or redis.call('HLEN', clients) > 0 then return end
    redis.call('HSET', session, 'unattendedFrom', redis.call('HGET', session, 'lastEvent') or '0-0')
end
