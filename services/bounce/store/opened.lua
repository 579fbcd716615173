-- Opens an incident, unless one is open at the site or its refusals are believed.
--
-- KEYS[1]  key prefix of the guard
-- ARGV     site, identifier, now_ms, refusals held so far, incident, how many incidents are kept
-- Returns the identifier of the site's open incident; "": there is none

local prefix, site, id, now = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local key = prefix .. "site:" .. site

local open = redis.call("HGET", key, "open")
if open then
    -- Another Bounce, or another batch, was faster; these are held all the same.
    redis.call("HINCRBY", key, "held", ARGV[4])
    return open
end
if tonumber(redis.call("HGET", key, "believed") or 0) > now then
    return ""
end
redis.call("HSET", key, "open", id, "held", ARGV[4])
redis.call("HDEL", key, "slot", "term_accepted", "term_hard")
redis.call("SET", prefix .. "incident:" .. id, ARGV[5])
redis.call("ZADD", prefix .. "open", now, id)
redis.call("ZADD", prefix .. "incidents", now, id)
for _, old in ipairs(redis.call("ZRANGE", prefix .. "incidents", 0, -tonumber(ARGV[6]) - 1)) do
    if not redis.call("ZSCORE", prefix .. "open", old) then
        redis.call("ZREM", prefix .. "incidents", old)
        redis.call("DEL", prefix .. "incident:" .. old)
    end
end
return id
