#!lua
-- Adds what one replica has counted to the rows. A batch that was added already changes nothing, so that one
-- whose answer was lost can be sent again.
--
-- KEYS[1]  key prefix of the rows
-- ARGV     now_ms, replica, sequence of its batch, how long to keep first texts_ms, most rows that nobody
--          touched, then for every row: MD5, occurrences, how many of them final, status by the rules,
--          normalised text, code, enhanced code, what the rules say, first text,
--          n, n sites (name, occurrences)
-- Returns how many rows went, for there were too many.
--
-- services/bounce/store/rows.py describes the keys.

local prefix, now = KEYS[1], ARGV[1]
local kept, most = ARGV[4], tonumber(ARGV[5])

-- Campaign's cap (contract 5.1).
local CAP = 100000
-- A message that is refused temporarily until its validity ends is tried about 25 times
-- (docs/reference/retries.md): so many refusals are one loss at most.
local TRIES = 25
-- The largest receivers carry most of the mail; more than these nobody reads.
local SITES = 8
-- What no operator has decided on may go (edit.lua).
local TO_QUALIFY = "1"
-- Longer than a batch is ever sent again.
local REMEMBER_SECONDS = 86400

local batch = prefix .. "batch:" .. ARGV[2]
if tonumber(redis.call("GET", batch) or 0) >= tonumber(ARGV[3]) then
    return 0
end
redis.call("SET", batch, ARGV[3], "EX", REMEMBER_SECONDS)

local age = tonumber(redis.call("GET", prefix .. "age") or 0)

-- The most frequent, by Space-Saving (Metwally, Agrawal, El Abbadi 2005): who is new takes the place and the
-- count of the rarest.
local function add_site(sites, name, count)
    if not sites[name] then
        local kinds, rarest = 0, nil
        for each, seen in pairs(sites) do
            kinds = kinds + 1
            if not rarest or seen < sites[rarest] or (seen == sites[rarest] and each < rarest) then
                rarest = each
            end
        end
        if kinds >= SITES then
            count = count + sites[rarest]
            sites[rarest] = nil
        end
    end
    sites[name] = math.min((sites[name] or 0) + count, CAP)
end

local at = 6
while at <= #ARGV do
    local md5, kinds, rules = ARGV[at], tonumber(ARGV[at + 9]), ARGV[at + 7]
    local row = prefix .. "row:" .. md5
    local was = redis.call("HMGET", row, "occurrences", "final", "status", "modified_ms", "sites", "rules")
    local occurrences, final = tonumber(was[1] or 0), tonumber(was[2] or 0)
    local counted = math.min(tonumber(ARGV[at + 1]), CAP - occurrences)
    occurrences = occurrences + counted
    final = final + math.min(tonumber(ARGV[at + 2]), counted)
    local status = was[4] and was[3] or ARGV[at + 3]
    local cost = final + (occurrences - final) / TRIES
    local sites = cjson.decode(was[5] or "{}")
    for here = at + 10, at + 8 + 2 * kinds, 2 do
        add_site(sites, ARGV[here], tonumber(ARGV[here + 1]))
    end
    local changed = { "last_ms", now, "occurrences", occurrences, "final", final, "cost", cost,
        "status", status, "rules_status", ARGV[at + 3], "sites", cjson.encode(sites) }
    local function set(name, value)
        changed[#changed + 1] = name
        changed[#changed + 1] = value
    end
    if was[6] ~= rules then
        set("rules", rules)
    end
    if not was[1] then
        set("created_ms", now)
        set("text", ARGV[at + 4])
        set("code", ARGV[at + 5])
        set("enhanced", ARGV[at + 6])
        redis.call("SET", prefix .. "first:" .. md5, ARGV[at + 8], "PX", kept)
    end
    redis.call("HSET", row, unpack(changed))
    if was[3] and was[3] ~= status then
        redis.call("ZREM", prefix .. "cost:" .. was[3], md5)
    end
    redis.call("ZADD", prefix .. "cost:" .. status, cost, md5)
    if not was[4] or status == TO_QUALIFY then
        redis.call("ZADD", prefix .. "untouched", age + occurrences, md5)
    end
    at = at + 10 + 2 * kinds
end

-- The least frequently used goes, with dynamic aging (LFUDA, as in Squid): what is new ranks above what went,
-- and what was frequent once sinks.
local over = redis.call("ZCARD", prefix .. "untouched") - most
if over <= 0 then
    return 0
end
local gone = redis.call("ZPOPMIN", prefix .. "untouched", over)
for here = 1, #gone, 2 do
    local status = redis.call("HGET", prefix .. "row:" .. gone[here], "status")
    redis.call("ZREM", prefix .. "cost:" .. status, gone[here])
    redis.call("DEL", prefix .. "row:" .. gone[here], prefix .. "first:" .. gone[here])
end
redis.call("SET", prefix .. "age", gone[#gone])
return over
