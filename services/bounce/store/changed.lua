-- Writes an open incident as it was extended, or closes it: what was refused meanwhile is no history then.
--
-- KEYS[1]  key prefix of the guard
-- ARGV     site, identifier, incident, 1: it is closed, until when the site's refusals are believed_ms (0: not)
-- Returns 1; 0: it was closed before, and nothing is changed

local prefix, site, id = KEYS[1], ARGV[1], ARGV[2]
local key = prefix .. "site:" .. site

if not redis.call("ZSCORE", prefix .. "open", id) then
    return 0
end
redis.call("SET", prefix .. "incident:" .. id, ARGV[3])
redis.call("HDEL", key, "term_accepted", "term_hard")
if ARGV[4] ~= "1" then
    return 1
end
redis.call("ZREM", prefix .. "open", id)
if redis.call("HGET", key, "open") ~= id then
    return 1 -- the site was forgotten meanwhile
end
for _, field in ipairs(redis.call("HKEYS", key)) do
    if string.sub(field, 1, 7) == "stretch" then
        redis.call("HDEL", key, field)
    end
end
redis.call("HDEL", key, "open", "held", "begun", "unknown_hard", "slot", "slot_accepted",
    "slot_hard", "before_accepted", "before_hard")
redis.call("DEL", prefix .. "stretch:" .. site, prefix .. "samples:" .. site)
if tonumber(ARGV[5]) > 0 then
    redis.call("HSET", key, "believed", ARGV[5])
end
return 1
