#!lua flags=allow-oom
-- Ends the leases of messages of a shard: with their outcomes, all or nothing for each.
-- It frees memory and must run when there is none left to give.
--
-- KEYS[1]  key prefix of the shard
-- ARGV     for every message: number, fence, due_ms ("": it is finished), domain, dictionary ("": none),
--          progress ("": as it was), number of outcomes, outcomes
-- Returns for every message 1, or 0 when the lease is another's by now.

local prefix = KEYS[1]
local leased, leases, crashes = prefix .. "leased", prefix .. "leases", prefix .. "crashes"
local results, outcomes, told = {}, {}, 0
local some_crashed = redis.call("EXISTS", crashes) == 1

for at = 1, #ARGV, 8 do
    local number, fence, due, domain = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    local dictionary, progress = ARGV[at + 4], ARGV[at + 5]
    local lease = redis.call("HGET", leases, number)
    if not lease or string.match(lease, "^%S+") ~= fence then
        results[#results + 1] = 0
    else
        redis.call("ZREM", leased, number)
        redis.call("HDEL", leases, number)
        if some_crashed then redis.call("HDEL", crashes, number) end
        if due == "" then
            redis.call("DEL", prefix .. "message:" .. number, prefix .. "progress:" .. number)
            if dictionary ~= "" then
                local key = prefix .. "dictionary:" .. dictionary
                if redis.call("HINCRBY", key, "messages", -1) <= 0 then redis.call("DEL", key) end
            end
        else
            redis.call("ZADD", prefix .. "due:" .. domain, due, number)
            redis.call("ZADD", prefix .. "domains", "LT", due, domain)
            if progress ~= "" then redis.call("SET", prefix .. "progress:" .. number, progress) end
        end
        told = told + tonumber(ARGV[at + 6])
        outcomes[#outcomes + 1] = ARGV[at + 7]
        results[#results + 1] = 1
    end
end

if told > 0 then
    redis.call("XADD", prefix .. "outbox", "*", "items", table.concat(outcomes))
    redis.call("INCRBY", prefix .. "outbox_size", told)
end
return results
