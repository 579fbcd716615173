-- Leases messages of a shard that are due, after taking back those whose lease has run out.
--
-- KEYS[1]  key prefix of the shard
-- ARGV     now_ms, end of the lease_ms, at most so many
-- Returns the next time to look (ms, "" when the shard is empty) and the messages: ids and records in turn,
-- a record being a flat list.

local prefix, now = KEYS[1], ARGV[1]
local due, leased = prefix .. "due", prefix .. "leased"

for _, id in ipairs(redis.call("ZRANGEBYSCORE", leased, "-inf", now, "LIMIT", 0, ARGV[3])) do
    redis.call("ZREM", leased, id)
    redis.call("ZADD", due, now, id)
end

local claimed = {}
for _, id in ipairs(redis.call("ZRANGEBYSCORE", due, "-inf", now, "LIMIT", 0, ARGV[3])) do
    redis.call("ZREM", due, id)
    redis.call("ZADD", leased, ARGV[2], id)
    local record = prefix .. "message:" .. id
    redis.call("HINCRBY", record, "fence", 1)
    claimed[#claimed + 1] = id
    claimed[#claimed + 1] = redis.call("HGETALL", record)
end

local next_due = redis.call("ZRANGE", due, 0, 0, "WITHSCORES")[2]
local next_back = redis.call("ZRANGE", leased, 0, 0, "WITHSCORES")[2]
if next_back and (not next_due or tonumber(next_back) < tonumber(next_due)) then
    next_due = next_back
end
return { next_due or "", claimed }
