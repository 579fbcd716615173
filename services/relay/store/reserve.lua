#!lua flags=allow-oom
-- Takes what one Relay states about some sites, and gives it connections and tokens within their limits.
-- It must run when memory is full, or the queue could not drain; what it keeps of a site is a few lines.
--
-- A statement is absolute (what I hold, what I want in all, what I used in all), so that one whose answer
-- was lost costs nothing when it is made anew; one that comes late is known by its sequence.
--
-- KEYS[1]  key prefix of the limits
-- ARGV     now_ms, holder, sequence of the statement, end of the lease_ms, length of a turn_ms,
--          then for every site: name, limit of connections, interval_us between tokens (0: no rate),
--          capacity of the bucket, connections held, connections wanted in all, tokens used in all,
--          tokens granted in all as far as the holder knows, how many more are wanted
-- Returns for every site: connections held (-1: the statement came late), how many of them are to be given
--          back, tokens granted in all, when to ask for connections again_ms, for tokens (0: no need)
--
-- services/relay/store/limits.py describes the keys.

local prefix, now, holder = KEYS[1], tonumber(ARGV[1]), ARGV[2]
local sequence, lease_end, turn = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

-- Whoever is short of connections asks again twice a second; after two seconds of silence nothing is kept
-- free for it. Whoever is short of tokens asks again when as many are there as come in 50 ms.
local AGAIN, PATIENCE, BATCH = 500, 2000, 50
-- Sites that nobody asked for within an hour are not listed any more, and their keys may go.
local LISTED = 3600000

local function entry(text)
    local numbers = {}
    for number in string.gmatch(text, "%d+") do
        numbers[#numbers + 1] = tonumber(number)
    end
    return {
        lease_end = numbers[1], sequence = numbers[2], held = numbers[3], wanted = numbers[4],
        since = numbers[5], used = numbers[6], granted = numbers[7], waits = numbers[8], back = numbers[9],
    }
end

local function text(e)
    return string.format("%.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f", e.lease_end, e.sequence, e.held,
        e.wanted, e.since, e.used, e.granted, e.waits, e.back)
end

-- The site as it is: our entry, those of others, the bucket; leases that ran out take their tokens along,
-- since nobody knows whether they were used.
local function read(key)
    local site = { others = {}, lost = 0 }
    local flat = redis.call("HGETALL", key)
    for at = 1, #flat, 2 do
        local name = flat[at]
        if name == "empty_us" then
            site.empty = tonumber(flat[at + 1])
        else
            local e = entry(flat[at + 1])
            e.name = name
            if e.lease_end <= now then
                site.lost = site.lost + e.granted - e.used
                redis.call("HDEL", key, name)
            elseif name == holder then
                site.mine = e
            else
                site.others[#site.others + 1] = e
            end
        end
    end
    return site
end

local function present(e)
    return e.held > 0 or now <= e.back + PATIENCE
end

-- Where there are more Relays than connections they take turns: first who is in its turn, then who waits,
-- longest first, then who has had its turn.
local function before(a, b)
    local function class(e)
        if e.held == 0 then return 2 end
        return now - e.since < turn and 1 or 3
    end
    local class_a, class_b = class(a), class(b)
    if class_a ~= class_b then return class_a < class_b end
    if a.since ~= b.since then return a.since < b.since end
    return a.name < b.name
end

-- How many connections are due to us: as many as we want, in max-min fairness with all who want some.
local function share(limit, mine, others)
    if #others == 0 then return math.min(limit, mine.wanted) end
    local claims = { mine }
    for _, e in ipairs(others) do
        if e.wanted > 0 and present(e) then claims[#claims + 1] = e end
    end
    if #claims > limit then
        local rank = 0
        for at = 2, #claims do
            if before(claims[at], mine) then rank = rank + 1 end
        end
        return rank < limit and math.min(1, mine.wanted) or 0
    end
    table.sort(claims, function(a, b)
        if a.wanted ~= b.wanted then return a.wanted < b.wanted end
        return a.name < b.name
    end)
    local left = limit
    for at, e in ipairs(claims) do
        local got = math.min(e.wanted, math.floor(left / (#claims - at + 1)))
        if e == mine then return got end
        left = left - got
    end
end

-- Gives connections; `mine` is the entry to be. Nothing is taken away that is in use: what is too much is
-- given back by its holder when it can.
local function connections(site, mine, limit)
    local before_us, taken = site.mine, 0
    for _, e in ipairs(site.others) do
        taken = taken + e.held
    end
    mine.held = before_us and math.min(mine.held, before_us.held) or 0
    local holding, held_before = mine.held > 0, before_us and before_us.held > 0
    local same = before_us and holding == held_before and (holding or before_us.wanted > 0)
    mine.since = same and before_us.since or now
    local due = mine.wanted > 0 and share(limit, mine, site.others) or 0
    local free = math.max(0, limit - taken)
    local got = math.max(mine.held, math.min(due, free))
    if got > 0 and not holding then mine.since = now end
    mine.held = got
    return math.max(0, got - due)
end

-- Gives tokens. The bucket holds what is in the hands of Relays, too, until they tell that it was used:
-- so no more than its capacity can ever be used at once. Times are whole microseconds; `empty` is when the
-- bucket was empty, had nothing been used since. Gives when to ask again_ms, or 0.
local function tokens(site, mine, interval, capacity, more)
    if interval == 0 then
        mine.granted = mine.used
        return 0
    end
    local before_us, now_us = site.mine, now * 1000
    local full = now_us - capacity * interval
    site.empty = math.max(site.empty or full, full) + site.lost * interval
    if before_us then
        -- Fewer than before: what had been told as used was given back.
        site.empty = math.max(full, site.empty + (mine.used - before_us.used) * interval)
        mine.granted = math.max(mine.used, math.min(mine.granted, before_us.granted))
    else
        mine.granted = mine.used
    end
    mine.waits = before_us and before_us.waits > 0 and before_us.waits or now

    local out = mine.granted - mine.used
    for _, e in ipairs(site.others) do
        out = out + e.granted - e.used
        local earlier = e.waits < mine.waits or (e.waits == mine.waits and e.name < holder)
        if e.waits > 0 and earlier and now <= e.back + PATIENCE then out = out + 1 end
    end
    local got = math.max(0, math.min(more, math.floor((now_us - site.empty) / interval) - out))
    mine.granted = mine.granted + got
    if more == 0 or got > 0 then mine.waits = 0 end
    if got == more then return 0 end
    out = out + got
    local batch = math.max(1, math.min(more - got, math.floor(BATCH * 1000 / interval)))
    local ready = math.ceil((site.empty + math.min(out + batch, capacity) * interval) / 1000)
    return math.max(ready, now + (out + batch > capacity and AGAIN or 1))
end

local answers = {}
for at = 6, #ARGV, 9 do
    local name, key = ARGV[at], prefix .. "site:" .. ARGV[at]
    local limit, interval = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local capacity, more = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 8])
    local mine = {
        name = holder, lease_end = lease_end, sequence = sequence, waits = 0, back = 0,
        held = tonumber(ARGV[at + 4]), wanted = tonumber(ARGV[at + 5]),
        used = tonumber(ARGV[at + 6]), granted = tonumber(ARGV[at + 7]),
    }
    local site = read(key)
    if site.mine and site.mine.sequence >= sequence then
        for _, number in ipairs({ -1, 0, 0, 0, 0 }) do
            answers[#answers + 1] = number
        end
    else
        local surplus = connections(site, mine, limit)
        local again = mine.held - surplus < mine.wanted and now + AGAIN or 0
        local ready = tokens(site, mine, interval, capacity, more)
        mine.back = again > 0 and ready > 0 and math.min(again, ready) or math.max(again, ready)
        if mine.held + mine.wanted + mine.granted - mine.used + mine.waits == 0 then
            redis.call("HDEL", key, holder)
        else
            redis.call("HSET", key, holder, text(mine))
        end
        if site.empty then
            redis.call("HSET", key, "empty_us", string.format("%.0f", site.empty))
        end
        local lasts = lease_end - now + LISTED + math.ceil(2 * capacity * interval / 1000)
        redis.call("PEXPIRE", key, string.format("%.0f", lasts))
        redis.call("ZADD", prefix .. "sites", now, name)
        for _, number in ipairs({ mine.held, surplus, mine.granted, again, ready }) do
            answers[#answers + 1] = number
        end
    end
end
redis.call("ZREMRANGEBYSCORE", prefix .. "sites", "-inf", now - LISTED)
return answers
