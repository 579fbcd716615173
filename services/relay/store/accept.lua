-- Takes messages into the queue of a shard, each once.
--
-- KEYS[1]  key prefix of the shard
-- ARGV     for every message: id, due_ms, outcome 1, n, n fields of its record (name, value)
-- Returns for every message the acceptance that was given first: "" when it is this one.

local prefix = KEYS[1]
local at, results = 1, {}

while at <= #ARGV do
    local id, due, outcome, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
    at = at + 4
    local record = prefix .. "message:" .. id
    local first = redis.call("GET", prefix .. "done:" .. id) or redis.call("HGET", record, "acceptance")
    if first then
        results[#results + 1] = first
    else
        redis.call("HSET", record, unpack(ARGV, at, at + 2 * count - 1))
        redis.call("ZADD", prefix .. "due", due, id)
        redis.call("XADD", prefix .. "outbox", "*", "item", outcome)
        results[#results + 1] = ""
    end
    at = at + 2 * count
end
return results
