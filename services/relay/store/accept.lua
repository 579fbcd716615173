-- Takes messages into the queue of a shard, each once.
--
-- KEYS[1]  key prefix of the shard
-- ARGV     period, seconds to keep what is known of a period, most outcomes in the outbox,
--          n, n dictionaries (name, content or "" where the shard should have it),
--          then for every message: digest, bucket, acceptance, domain, due_ms, record, dictionary, outcome
-- Returns for every message the acceptance that was given first: "" when it is this one. In place of that
-- -1: a dictionary is missing, -2: the outbox is full; nothing was taken then.

local prefix, period = KEYS[1], tonumber(ARGV[1])
local at, results = 5, {}

if tonumber(redis.call("GET", prefix .. "outbox_size") or 0) >= tonumber(ARGV[3]) then
    return -2
end

local function dictionary_key(name)
    return prefix .. "dictionary:" .. name
end

local contents = {}
for _ = 1, tonumber(ARGV[4]) do
    local name, content = ARGV[at], ARGV[at + 1]
    at = at + 2
    if content ~= "" then
        contents[name] = content
    elseif redis.call("EXISTS", dictionary_key(name)) == 0 then
        return -1
    end
end

local known = prefix .. "known:"
local taken = {} -- where in ARGV the new ones begin
while at <= #ARGV do
    local digest, bucket = ARGV[at], ARGV[at + 1]
    local first
    -- -1: a Relay may have stood still since it looked at its clock.
    for back = -1, 2 do
        first = redis.call("HGET", known .. (period - back) .. ":" .. bucket, digest)
        if first then break end
    end
    results[#results + 1] = first or ""
    if not first then
        local key = known .. period .. ":" .. bucket
        if redis.call("HSET", key, digest, ARGV[at + 2]) == 1 and redis.call("TTL", key) < 0 then
            redis.call("EXPIRE", key, ARGV[2])
        end
        taken[#taken + 1] = at
    end
    at = at + 8
end
if #taken == 0 then return results end

-- For many at once: a call costs more than what it does.
local records, by_domain, domains, used, outcomes = {}, {}, {}, {}, {}
local last = redis.call("INCRBY", prefix .. "number", #taken)
for place, begin in ipairs(taken) do
    local domain, due, dictionary = ARGV[begin + 3], ARGV[begin + 4], ARGV[begin + 6]
    -- Of a fixed width, so that what is due at the same time goes in the order of acceptance.
    local number = string.format("%08x", last - #taken + place)
    records[#records + 1] = prefix .. "message:" .. number
    records[#records + 1] = ARGV[begin + 5]
    local of_domain = by_domain[domain] or {}
    of_domain[#of_domain + 1] = due
    of_domain[#of_domain + 1] = number
    by_domain[domain] = of_domain
    domains[#domains + 1] = due
    domains[#domains + 1] = domain
    if dictionary ~= "" then used[dictionary] = (used[dictionary] or 0) + 1 end
    outcomes[#outcomes + 1] = ARGV[begin + 7]
end

redis.call("MSET", unpack(records))
for domain, of_domain in pairs(by_domain) do
    redis.call("ZADD", prefix .. "due:" .. domain, unpack(of_domain))
end
redis.call("ZADD", prefix .. "domains", "LT", unpack(domains))
for dictionary, messages in pairs(used) do
    if contents[dictionary] then
        -- Only now: where all messages are known nothing uses it, and nothing would take it away.
        redis.call("HSETNX", dictionary_key(dictionary), "content", contents[dictionary])
    end
    redis.call("HINCRBY", dictionary_key(dictionary), "messages", messages)
end
redis.call("XADD", prefix .. "outbox", "*", "items", table.concat(outcomes))
redis.call("INCRBY", prefix .. "outbox_size", #outcomes)
return results
