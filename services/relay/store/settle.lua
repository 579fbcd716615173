#!lua flags=allow-oom
-- Ends the leases of messages of a shard: with their outcomes, all or nothing for each.
-- It frees memory and must run when there is none left to give.
--
-- KEYS[1]  key prefix of the shard
-- ARGV     seconds to remember a finished message, then for every message: id, fence, due_ms ("": it is
--          finished), n, n outcomes, m, m fields of the record to change (name, value)
-- Returns for every message 1, or 0 when the lease is another's by now.

local prefix, remember = KEYS[1], ARGV[1]
local at, results = 2, {}

while at <= #ARGV do
    local id, fence, due, outcomes = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
    local first_outcome = at + 4
    local count = tonumber(ARGV[first_outcome + outcomes])
    local first_field = first_outcome + outcomes + 1
    at = first_field + 2 * count

    local record = prefix .. "message:" .. id
    if redis.call("HGET", record, "fence") ~= fence then
        results[#results + 1] = 0
    else
        redis.call("ZREM", prefix .. "leased", id)
        if due == "" then
            local acceptance = redis.call("HGET", record, "acceptance")
            redis.call("SET", prefix .. "done:" .. id, acceptance, "EX", remember)
            redis.call("DEL", record)
        else
            redis.call("ZADD", prefix .. "due", due, id)
            if count > 0 then
                redis.call("HSET", record, unpack(ARGV, first_field, first_field + 2 * count - 1))
            end
        end
        for position = first_outcome, first_outcome + outcomes - 1 do
            redis.call("XADD", prefix .. "outbox", "*", "item", ARGV[position])
        end
        results[#results + 1] = 1
    end
end
return results
