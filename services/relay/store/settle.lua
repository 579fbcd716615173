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
-- What most have in common is carried out at the end, for many at once: a call costs more than what it does.
local ended, is_ended, gone, unused = {}, {}, {}, {}

local numbers = {}
for at = 1, #ARGV, 8 do numbers[#numbers + 1] = ARGV[at] end
local held = redis.call("HMGET", leases, unpack(numbers))

for place, number in ipairs(numbers) do
    local at = 8 * place - 7
    local fence, due, domain = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    local dictionary, progress = ARGV[at + 4], ARGV[at + 5]
    if not held[place] or is_ended[number] or string.match(held[place], "^%S+") ~= fence then
        results[place] = 0
    else
        is_ended[number] = true
        ended[#ended + 1] = number
        if due == "" then
            gone[#gone + 1] = prefix .. "message:" .. number
            gone[#gone + 1] = prefix .. "progress:" .. number
            if dictionary ~= "" then unused[dictionary] = (unused[dictionary] or 0) + 1 end
        else
            redis.call("ZADD", prefix .. "due:" .. domain, due, number)
            redis.call("ZADD", prefix .. "domains", "LT", due, domain)
            if progress ~= "" then redis.call("SET", prefix .. "progress:" .. number, progress) end
        end
        told = told + tonumber(ARGV[at + 6])
        outcomes[#outcomes + 1] = ARGV[at + 7]
        results[place] = 1
    end
end

if #ended > 0 then
    redis.call("ZREM", leased, unpack(ended))
    redis.call("HDEL", leases, unpack(ended))
    redis.call("HDEL", crashes, unpack(ended))
end
if #gone > 0 then redis.call("DEL", unpack(gone)) end
for dictionary, messages in pairs(unused) do
    local key = prefix .. "dictionary:" .. dictionary
    if redis.call("HINCRBY", key, "messages", -messages) <= 0 then redis.call("DEL", key) end
end
if told > 0 then
    redis.call("XADD", prefix .. "outbox", "*", "items", table.concat(outcomes))
    redis.call("INCRBY", prefix .. "outbox_size", told)
end
return results
