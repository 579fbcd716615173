-- Takes decided outcomes into the ledger, each all or nothing.
--
-- KEYS[1]  key prefix of the tenant: every key of it lies in the same slot
-- ARGV     now_ms, seconds to remember an unsequenced outcome, then for every outcome:
--          delivery, message, expected version of the row ("": none, "@": changed by this call),
--          sequence, row, event, key of an unsequenced outcome ("": sequenced),
--          n, n counters (name, change), domain, m, m counters of the domain (name, change)
-- Returns for every outcome its position, 0 when the row has changed meanwhile, or -1 for a duplicate.

local prefix = KEYS[1]
local now, remember = ARGV[1], ARGV[2]
local at, results, touched = 3, {}, {}

local function take()
    local value = ARGV[at]
    at = at + 1
    return value
end

local function take_counters()
    local counters = {}
    for _ = 1, tonumber(take()) do
        counters[#counters + 1] = { take(), take() }
    end
    return counters
end

while at <= #ARGV do
    local delivery, message, expected, sequence = take(), take(), take(), take()
    local entry, event, unsequenced = take(), take(), take()
    local counters = take_counters()
    local domain = take()
    local domain_counters = take_counters()

    local row = prefix .. "row:" .. delivery .. "\0" .. message
    local seen = prefix .. "seen:" .. unsequenced
    local unchanged
    if expected == "@" then
        unchanged = touched[row]
    else
        unchanged = (redis.call("HGET", row, "version") or "") == expected
    end

    if unsequenced ~= "" and redis.call("EXISTS", seen) == 1 then
        results[#results + 1] = -1
    elseif not unchanged then
        results[#results + 1] = 0
    else
        local position = redis.call("INCR", prefix .. "position")
        local figures = prefix .. "delivery:" .. delivery
        redis.call("HSETNX", figures, "open_ms", now)
        for _, counter in ipairs(counters) do
            redis.call("HINCRBY", figures, counter[1], counter[2])
        end
        for _, counter in ipairs(domain_counters) do
            redis.call("HINCRBY", prefix .. "domains:" .. delivery, domain .. "\0" .. counter[1], counter[2])
        end
        if redis.call("HSET", row, "version", position, "sequence", sequence, "entry", entry) == 3 then
            redis.call("ZADD", prefix .. "rows:" .. delivery, position, message)
        end
        if unsequenced ~= "" then
            redis.call("SET", seen, "1", "EX", remember)
        end
        local id = string.format("%d-0", position)
        local sums = redis.call("HMGET", figures, "sent", "accepted", "announced")
        redis.call("XADD", prefix .. "ledger", id, "event", event, "sent", sums[1] or "0",
            "accepted", sums[2] or "0", "announced", sums[3] or "0")
        redis.call("XADD", prefix .. "events:" .. delivery, id, "", "")
        touched[row] = true
        results[#results + 1] = position
    end
end
return results
