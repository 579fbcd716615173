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
local outcomes = {}
while at <= #ARGV do
    local digest, bucket, acceptance, domain = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    local due, record, dictionary, outcome = ARGV[at + 4], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7]
    at = at + 8
    local first
    -- -1: a Relay may have stood still since it looked at its clock.
    for back = -1, 2 do
        first = redis.call("HGET", known .. (period - back) .. ":" .. bucket, digest)
        if first then break end
    end
    results[#results + 1] = first or ""
    if not first then
        local key = known .. period .. ":" .. bucket
        if redis.call("HSET", key, digest, acceptance) == 1 and redis.call("TTL", key) < 0 then
            redis.call("EXPIRE", key, ARGV[2])
        end
        -- Of a fixed width, so that what is due at the same time goes in the order of acceptance.
        local number = string.format("%08x", redis.call("INCR", prefix .. "number"))
        redis.call("SET", prefix .. "message:" .. number, record)
        redis.call("ZADD", prefix .. "due:" .. domain, due, number)
        redis.call("ZADD", prefix .. "domains", "LT", due, domain)
        if dictionary ~= "" then
            if contents[dictionary] then
                -- Only now: where all messages are known nothing uses it, and nothing would take it away.
                redis.call("HSETNX", dictionary_key(dictionary), "content", contents[dictionary])
                contents[dictionary] = nil
            end
            redis.call("HINCRBY", dictionary_key(dictionary), "messages", 1)
        end
        outcomes[#outcomes + 1] = outcome
    end
end

if #outcomes > 0 then
    redis.call("XADD", prefix .. "outbox", "*", "items", table.concat(outcomes))
    redis.call("INCRBY", prefix .. "outbox_size", #outcomes)
end
return results
