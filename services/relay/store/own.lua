#!lua flags=allow-oom
-- Makes a Relay the owner of a shard, or prolongs or ends its ownership.
--
-- KEYS[1]  key prefix of the shard
-- ARGV     relay, now_ms, end of the ownership_ms ("": it ends now)
-- Returns 1 when the Relay is the owner now.

local key = KEYS[1] .. "owner"
local owner = redis.call("HMGET", key, "relay", "until_ms")
local mine = owner[1] == ARGV[1]
if ARGV[3] == "" then
    if mine then redis.call("DEL", key) end
    return 0
end
if mine or not owner[1] or tonumber(owner[2]) <= tonumber(ARGV[2]) then
    redis.call("HSET", key, "relay", ARGV[1], "until_ms", ARGV[3])
    return 1
end
return 0
