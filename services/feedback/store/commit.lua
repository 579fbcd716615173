-- Takes decided outcomes into the ledger, each all or nothing.
--
-- KEYS[1]  key prefix of the tenant: every key of it lies in the same slot
-- ARGV     now_ms, seconds to remember an unsequenced outcome, seconds to keep the index of failures, and
--          that of accepted messages, then for every outcome:
--          delivery, message, expected version of the row ("": none, "@": changed by this call; whoever
--          expects a version from before is late where this call has changed it),
--          sequence, row, event, key of an unsequenced outcome ("": sequenced),
--          n, n counters (name, change), domain, m, m counters of the domain (name, change),
--          hour in which it made the message fail ("": it did not), what the index of failures keeps,
--          what the index of accepted messages gets: day (4 octets), digests (8 each); "": nothing
-- Returns for every outcome its position, 0 when the row has changed meanwhile, or for a duplicate
-- minus the position of the first.

local prefix = KEYS[1]
local now, remember, keep_failed, keep_found = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local results = {}
-- What an entry of a stream holds at most: Lua's stack bounds a call's arguments.
local ENTRY = 250
local BUCKETS = 16384 -- as in ledger.py

local position = tonumber(redis.call("GET", prefix .. "position") or 0)
local deliveries = {}
local events = {}
local failed = {}

local function delivery_of(name)
    local delivery = deliveries[name]
    if not delivery then
        local figures = prefix .. "delivery:" .. name
        redis.call("HSETNX", figures, "open_ms", now)
        local known = redis.call("HMGET", figures, "sent", "accepted", "announced")
        delivery = {
            sent = tonumber(known[1] or 0),
            accepted = tonumber(known[2] or 0),
            announced = known[3] or "0",
            counters = {},
            domains = {},
            positions = {},
            rows = {},
        }
        deliveries[name] = delivery
    end
    return delivery
end

local function add_counters(sums, first, count, label)
    for here = first, first + 2 * count - 1, 2 do
        local name = label .. ARGV[here]
        sums[name] = (sums[name] or 0) + tonumber(ARGV[here + 1])
    end
end

local function add_found(packed)
    local day, at_position = struct.unpack(">I4", packed), struct.pack(">I6", position)
    for first = 5, #packed, 8 do
        local bucket = struct.unpack(">I2", packed, first) % BUCKETS
        local key = string.format("%sfound:%d:%d", prefix, day, bucket)
        local entry = string.sub(packed, first + 2, first + 7) .. at_position
        if redis.call("APPEND", key, entry) == #entry then
            redis.call("EXPIRE", key, keep_found)
        end
    end
end

-- Where the parts of the outcomes are in ARGV, and the rows of those that say what they expect.
local outcomes, rows = {}, {}
local at = 5
while at <= #ARGV do
    local domain_at = at + 8 + 2 * tonumber(ARGV[at + 7])
    local failed_at = domain_at + 2 + 2 * tonumber(ARGV[domain_at + 1])
    outcomes[#outcomes + 1] = { at, domain_at, failed_at }
    if ARGV[at + 2] ~= "@" then rows[#rows + 1] = prefix .. "row:" .. ARGV[at] .. "\0" .. ARGV[at + 1] end
    at = failed_at + 3
end
-- Read, and written at the end, for many at once: a call costs more than what it does.
local versions, written = {}, {}
for first = 1, #rows, 2 * ENTRY do
    local last = math.min(first + 2 * ENTRY - 1, #rows)
    for place, value in ipairs(redis.call("MGET", unpack(rows, first, last))) do
        versions[rows[first + place - 1]] = value and string.match(value, "^%d+")
    end
end

for _, places in ipairs(outcomes) do
    local begin, domain_at, failed_at = unpack(places)
    local name, message, expected, sequence = ARGV[begin], ARGV[begin + 1], ARGV[begin + 2], ARGV[begin + 3]
    local entry, event, unsequenced = ARGV[begin + 4], ARGV[begin + 5], ARGV[begin + 6]
    local hour = ARGV[failed_at]

    local row = prefix .. "row:" .. name .. "\0" .. message
    local seen = prefix .. "seen:" .. unsequenced
    local unchanged
    if expected == "@" then
        unchanged = written[row]
    else
        unchanged = not written[row] and (versions[row] or "") == expected
    end

    local first = unsequenced ~= "" and redis.call("GET", seen)
    if first then
        results[#results + 1] = -tonumber(first)
    elseif not unchanged then
        results[#results + 1] = 0
    else
        position = position + 1
        local delivery = delivery_of(name)
        add_counters(delivery.counters, begin + 8, tonumber(ARGV[begin + 7]), "")
        add_counters(delivery.domains, domain_at + 2, tonumber(ARGV[domain_at + 1]), ARGV[domain_at] .. "\0")
        written[row] = string.format("%d %s\n", position, sequence) .. entry
        if expected == "" then
            delivery.rows[#delivery.rows + 1] = position
            delivery.rows[#delivery.rows + 1] = message
        end
        if unsequenced ~= "" then
            redis.call("SET", seen, position, "EX", remember)
        end
        events[#events + 1] = string.format("%d %d %d %s", position,
            delivery.sent + (delivery.counters.sent or 0),
            delivery.accepted + (delivery.counters.accepted or 0), delivery.announced)
        events[#events + 1] = event
        delivery.positions[#delivery.positions + 1] = position
        if hour ~= "" then
            local of_hour = failed[hour] or {}
            of_hour[#of_hour + 1] = position
            of_hour[#of_hour + 1] = ARGV[failed_at + 1]
            failed[hour] = of_hour
        end
        if ARGV[failed_at + 2] ~= "" then
            add_found(ARGV[failed_at + 2])
        end
        results[#results + 1] = position
    end
end

local changes = {}
for row, value in pairs(written) do
    changes[#changes + 1] = row
    changes[#changes + 1] = value
end
for first = 1, #changes, 2 * ENTRY do
    redis.call("MSET", unpack(changes, first, math.min(first + 2 * ENTRY - 1, #changes)))
end
if #events > 0 then
    redis.call("SET", prefix .. "position", position)
end
for first = 1, #events, 2 * ENTRY do
    local last = math.min(first + 2 * ENTRY - 1, #events)
    local id = string.match(events[last - 1], "^%d+") .. "-0"
    redis.call("XADD", prefix .. "ledger", id, unpack(events, first, last))
end
for hour, of_hour in pairs(failed) do
    local key = prefix .. "failed:" .. hour
    for first = 1, #of_hour, 2 * ENTRY do
        local last = math.min(first + 2 * ENTRY - 1, #of_hour)
        redis.call("XADD", key, string.format("%d-0", of_hour[last - 1]), unpack(of_hour, first, last))
    end
    redis.call("EXPIRE", key, keep_failed)
end
for name, delivery in pairs(deliveries) do
    local positions = delivery.positions
    for first = 1, #delivery.rows, 2 * ENTRY do
        local last = math.min(first + 2 * ENTRY - 1, #delivery.rows)
        redis.call("ZADD", prefix .. "rows:" .. name, unpack(delivery.rows, first, last))
    end
    for first = 1, #positions, ENTRY do
        local last = math.min(first + ENTRY - 1, #positions)
        redis.call("XADD", prefix .. "events:" .. name, string.format("%d-0", positions[last]),
            "positions", table.concat(positions, " ", first, last))
    end
    for counter, change in pairs(delivery.counters) do
        if change ~= 0 then redis.call("HINCRBY", prefix .. "delivery:" .. name, counter, change) end
    end
    for counter, change in pairs(delivery.domains) do
        if change ~= 0 then redis.call("HINCRBY", prefix .. "domains:" .. name, counter, change) end
    end
end
return results
