#!lua flags=allow-oom
-- Leases messages of a shard that are due, after taking back those whose lease has run out.
--
-- A message whose owner died with it on lease is due again. When that happens to it a second time it is
-- a suspect: from then on it is given out alone, so that what kills owners is found out. One whose validity
-- has ended is given out in any case: nothing is tried with it any more.
--
-- KEYS[1]  key prefix of the shard
-- ARGV     now_ms, end of the lease_ms, at most so many messages, at most so many octets,
--          at most so many of a domain, 1 when a suspect may be given out, the fence of this claim (no
--          space, like no other: not a count, which a replica that takes over could repeat), earlier claims
--          of the same owner whose answers got lost (fence, end of the lease_ms, ..., between spaces),
--          then for every domain that is treated otherwise: domain, at most so many of it
-- Returns the next time to look (ms; now where more is due than was looked at; "" when nothing waits); for
-- every message its number, how often its owner died, its record and its progress; and 1 when there is
-- another suspect.

local prefix, now, lease_end = KEYS[1], ARGV[1], ARGV[2]
local left, octets_left, usual = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local domains, leased, leases = prefix .. "domains", prefix .. "leased", prefix .. "leases"
local suspects, crashes = prefix .. "suspects", prefix .. "crashes"

-- The end of a message's validity (ms), from the head of its record (record.py).
local function deadline(number)
    local head = redis.call("GETRANGE", prefix .. "message:" .. number, 0, 17)
    return #head == 18 and struct.unpack(">I8", string.sub(head, 11)) or now
end

local function take_back(number)
    local domain = string.match(redis.call("HGET", leases, number), "^%S+ (.*)$")
    redis.call("ZREM", leased, number)
    redis.call("HDEL", leases, number)
    if redis.call("HINCRBY", crashes, number, 1) > 1 then
        redis.call("ZADD", suspects, deadline(number), number)
    else
        redis.call("ZADD", prefix .. "due:" .. domain, now, number)
        redis.call("ZADD", domains, "LT", now, domain)
    end
end

local allowed, others = {}, 0
for at = 9, #ARGV, 2 do
    allowed[ARGV[at]] = tonumber(ARGV[at + 1])
    others = others + 1
end

local fence = ARGV[7]
local claimed = {}
local some_crashed = redis.call("EXISTS", crashes) == 1

-- Written down by `hold`, for many at once: a call costs more than what it does.
local scores, holders = {}, {}
-- So many records at most are read at once.
local GROUP = 8

local function hold()
    if #scores > 0 then
        redis.call("ZADD", leased, unpack(scores))
        redis.call("HSET", leases, unpack(holders))
        scores, holders = {}, {}
    end
end

local function lease_one(number, domain, record, progress)
    scores[#scores + 1] = lease_end
    scores[#scores + 1] = number
    holders[#holders + 1] = number
    holders[#holders + 1] = fence .. " " .. domain
    claimed[#claimed + 1] = number
    claimed[#claimed + 1] = some_crashed and tonumber(redis.call("HGET", crashes, number)) or 0
    claimed[#claimed + 1] = record
    claimed[#claimed + 1] = progress or ""
    left = left - 1
    octets_left = octets_left - #record
    -- Lua's stack bounds a call's arguments.
    if #scores >= 1000 then hold() end
end

-- Leases messages of a domain in their order, the first in any case, others as long as octets are left. Gives
-- how many of them are dealt with: leased, or not there any more.
local function lease(numbers, domain)
    local first, group = 1, 1
    while first <= #numbers do
        if first > 1 and octets_left <= 0 then return first - 1 end
        local keys, before = {}, octets_left
        for place = first, math.min(first + group - 1, #numbers) do
            keys[#keys + 1] = prefix .. "message:" .. numbers[place]
            keys[#keys + 1] = prefix .. "progress:" .. numbers[place]
        end
        local values = redis.call("MGET", unpack(keys))
        for at = 1, #keys, 2 do
            local place = first + (at - 1) / 2
            if place > 1 and octets_left <= 0 then return place - 1 end
            if values[at] then lease_one(numbers[place], domain, values[at], values[at + 1]) end
        end
        first = first + group
        -- They may be of 25 MiB each, and who waits for the store waits for what is read in vain, too.
        local each = math.max(1, (before - octets_left) / group)
        group = math.max(1, math.min(GROUP, 2 * group, math.floor(octets_left / each)))
    end
    return #numbers
end

-- What was leased by a claim whose answer never came is given again: nobody has begun with it, and were its
-- lease to run out it would look as if its owner had died with it. The claim may also be carried out only
-- now, behind others: then again, the next time.
for its_fence, its_end in string.gmatch(ARGV[8], "(%S+) (%S+)") do
    for _, number in ipairs(redis.call("ZRANGEBYSCORE", leased, its_end, its_end)) do
        local theirs, domain = string.match(redis.call("HGET", leases, number), "^(%S+) (.*)$")
        if theirs == its_fence then lease({ number }, domain) end
    end
    hold()
end

for _, number in ipairs(redis.call("ZRANGEBYSCORE", leased, "-inf", now, "LIMIT", 0, 200)) do
    take_back(number)
end
some_crashed = redis.call("EXISTS", crashes) == 1

local function give_out(numbers)
    for _, number in ipairs(numbers) do
        redis.call("ZREM", suspects, number)
        lease({ number }, "")
    end
end

give_out(redis.call("ZRANGEBYSCORE", suspects, "-inf", now, "LIMIT", 0, 20))
if ARGV[6] == "1" then
    give_out(redis.call("ZRANGE", suspects, 0, 0))
end

local next_look
local function look_at(score)
    if score and (not next_look or tonumber(score) < tonumber(next_look)) then next_look = score end
end

local due_domains = redis.call("ZRANGEBYSCORE", domains, "-inf", now, "LIMIT", 0, 64 + others)
if #due_domains == 64 + others then look_at(now) end
local again, empty = {}, {}
for _, domain in ipairs(due_domains) do
    if left <= 0 or octets_left <= 0 then break end
    local most = math.min(allowed[domain] or usual, left)
    if most > 0 then
        local due = prefix .. "due:" .. domain
        -- One more than is wanted: it says when the domain is due again.
        local rows = redis.call("ZRANGE", due, 0, most, "WITHSCORES")
        local numbers = {}
        while #numbers < most and tonumber(rows[2 * #numbers + 2] or math.huge) <= tonumber(now) do
            numbers[#numbers + 1] = rows[2 * #numbers + 1]
        end
        local taken = lease(numbers, domain)
        if taken > 0 then redis.call("ZREM", due, unpack(numbers, 1, taken)) end
        local first = rows[2 * taken + 2]
        if first then
            again[#again + 1] = first
            again[#again + 1] = domain
            if not allowed[domain] then look_at(first) end
        else
            empty[#empty + 1] = domain
        end
    end
end
hold()
if #again > 0 then redis.call("ZADD", domains, unpack(again)) end
if #empty > 0 then redis.call("ZREM", domains, unpack(empty)) end

if left <= 0 or octets_left <= 0 then look_at(now) end
look_at(redis.call("ZRANGEBYSCORE", domains, "(" .. now, "+inf", "WITHSCORES", "LIMIT", 0, 1)[2])
look_at(redis.call("ZRANGE", leased, 0, 0, "WITHSCORES")[2])
look_at(redis.call("ZRANGE", suspects, 0, 0, "WITHSCORES")[2])
return { next_look or "", claimed, redis.call("EXISTS", suspects) }
