-- Counts what sites answered about addresses that they had accepted before, and remembers who was accepted.
-- When memory is full it does not run, and nothing is held: it may never be what fills the store.
--
-- A stretch begins with a refusal of a known address and goes on as long as more than REFERENCE of the
-- known addresses are refused: it begins where an outage begins, at every volume. What is no stretch is
-- history, in which older days count less. services/bounce/outage.py judges both.
--
-- KEYS[1]  key prefix of the guard
-- ARGV     now_ms, generation of the memory, how long its keys live_ms,
--          then for every site: name, accepted ones without a key,
--          n, n times (tag of a domain, accepted ones of it): the largest,
--          n, n times (bucket, fingerprint): accepted,
--          n, n times (bucket, fingerprint): not refused for good,
--          n, n times (bucket, fingerprint, tag of its domain, reason, sample): refused for good
-- Returns for every site: open incident ("": none), until when the site's refusals are
--          believed_ms, accepted lately, known of the history (accepted, hard), beginning of the stretch_ms,
--          known of the stretch (accepted, hard), hard ones that were not known, hard by reason ("2:5 5:1")
--
-- services/bounce/store/guard.py describes the keys.

local prefix, now, generation, lifetime = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

-- Between what is usual (0.5 %) and the least that opens an incident (9 %), so that chance ends a stretch.
local REFERENCE, TIMES_USUAL = 0.03, 3
-- A stretch that is no incident after a day is how the site is.
local LONGEST = 86400000
-- History: a week ago counts half.
local HALF_LIFE, DECAY_EVERY, FADED = 604800000, 3600000, 0.01
-- What a closed company says of its provider: two refusals. Domains with a tenth of a site's mail count in full.
local OF_A_DOMAIN, LARGE, DOMAINS = 2, 0.1, 8
-- Far more than any incident needs.
local ADDRESSES, SAMPLES = 1000, 8
-- Sites: the longest unused one goes.
local SITES = 100000
local SLOT = 1800000

local at = 3
local function argument()
    at = at + 1
    return ARGV[at]
end

local function known(bucket, fingerprint)
    for age = 0, 1 do
        local key = prefix .. "known:" .. string.format("%d", generation - age) .. ":" .. bucket
        if redis.call("SISMEMBER", key, fingerprint) == 1 then
            return true
        end
    end
    return false
end

local function remember(bucket, fingerprint)
    local key = prefix .. "known:" .. string.format("%d", generation) .. ":" .. bucket
    if redis.call("SADD", key, fingerprint) == 0 then
        return true
    end
    if redis.call("SCARD", key) == 1 then
        redis.call("PEXPIRE", key, lifetime)
    end
    local before = prefix .. "known:" .. string.format("%d", generation - 1) .. ":" .. bucket
    return redis.call("SISMEMBER", before, fingerprint) == 1
end

-- A site's counters as a table to work on, and the same as they were; what is not there is 0.
local function read(key)
    local zero = { __index = function() return 0 end }
    local site, before = setmetatable({}, zero), setmetatable({}, zero)
    local flat = redis.call("HGETALL", key)
    for i = 1, #flat, 2 do
        local value = tonumber(flat[i + 1]) or flat[i + 1]
        site[flat[i]], before[flat[i]] = value, value
    end
    return site, before
end

local function written(value)
    if type(value) ~= "number" then return value end
    return string.format(value == math.floor(value) and "%.0f" or "%.3f", value)
end

local function write(key, site, before)
    local changes, gone = {}, {}
    for field, value in pairs(site) do
        if value == 0 then
            if before[field] ~= 0 then gone[#gone + 1] = field end
        elseif value ~= before[field] then
            changes[#changes + 1] = field
            changes[#changes + 1] = written(value)
        end
    end
    if #changes > 0 then redis.call("HSET", key, unpack(changes)) end
    if #gone > 0 then redis.call("HDEL", key, unpack(gone)) end
end

local function drop(name)
    redis.call("DEL", prefix .. "site:" .. name, prefix .. "stretch:" .. name, prefix .. "samples:" .. name)
end

local function use(name)
    redis.call("ZADD", prefix .. "sites", now, name)
    if redis.call("ZCARD", prefix .. "sites") > SITES then
        drop(redis.call("ZPOPMIN", prefix .. "sites")[1])
    end
end

local function decay(site)
    if site.decayed == 0 then site.decayed = now end
    if now - site.decayed >= DECAY_EVERY then
        local factor = 0.5 ^ ((now - site.decayed) / HALF_LIFE)
        for field, value in pairs(site) do
            if field == "accepted" or field == "told" or field == "usual_accepted" or field == "usual_hard"
                or string.sub(field, 1, 7) == "domain:" then
                site[field] = value * factor > FADED and value * factor or 0
            end
        end
        site.decayed = now
    end
end

-- The stretch is over: it was chance, and belongs to the history.
local function fold(name, site)
    if site.begun == 0 then return end
    site.usual_accepted = site.usual_accepted + site.stretch_accepted
    site.usual_hard = site.usual_hard + site.stretch_hard
    for field in pairs(site) do
        if field == "begun" or field == "unknown_hard" or string.sub(field, 1, 7) == "stretch" then
            site[field] = 0
        end
    end
    redis.call("DEL", prefix .. "stretch:" .. name, prefix .. "samples:" .. name)
end

local function reference(site)
    local usual = (site.usual_hard + 1) / (site.usual_accepted + site.usual_hard + 200)
    return math.max(REFERENCE, TIMES_USUAL * usual)
end

-- The two half hours that say how an open incident stands.
local function slot(site)
    local begin = now - now % SLOT
    if site.slot ~= begin then
        local follows = begin - site.slot == SLOT
        site.before_accepted = follows and site.slot_accepted or 0
        site.before_hard = follows and site.slot_hard or 0
        site.slot, site.slot_accepted, site.slot_hard = begin, 0, 0
    end
end

local function count_accepted(name, site, count)
    if count == 0 then return end
    if site.open ~= 0 then
        slot(site)
        site.slot_accepted = site.slot_accepted + count
        site.term_accepted = site.term_accepted + count
    elseif site.begun == 0 then
        site.usual_accepted = site.usual_accepted + count
    else
        site.stretch_accepted = site.stretch_accepted + count
        if site.stretch_hard <= reference(site) * site.stretch_accepted then fold(name, site) end
    end
end

-- The most frequent domains (Misra and Gries): one of more than a fifth of the mail is surely among them.
local function count_domain(site, tag, count)
    local field = "domain:" .. tag
    site[field] = site[field] + count
    local fields, least = {}, nil
    for each, value in pairs(site) do
        if string.sub(each, 1, 7) == "domain:" and value > 0 then
            fields[#fields + 1] = each
            least = math.min(least or value, value)
        end
    end
    if #fields > DOMAINS then
        for _, each in ipairs(fields) do site[each] = site[each] - least end
    end
end

local function count_hard(name, site, tag, address, reason, sample)
    if site.open ~= 0 then
        slot(site)
        site.slot_hard = site.slot_hard + 1
        site.term_hard = site.term_hard + 1
        return
    end
    local stretch = prefix .. "stretch:" .. name
    if site.begun == 0 then
        redis.call("DEL", stretch, prefix .. "samples:" .. name)
        site.begun = now
    end
    if redis.call("HLEN", stretch) >= ADDRESSES or redis.call("HSETNX", stretch, address, 1) == 0 then
        return
    end
    if redis.call("HINCRBY", stretch, "domain:" .. tag, 1) > OF_A_DOMAIN
        and site["domain:" .. tag] < LARGE * site.told then
        return
    end
    site.stretch_hard = site.stretch_hard + 1
    site["stretch:" .. reason] = site["stretch:" .. reason] + 1
    if redis.call("SCARD", prefix .. "samples:" .. name) < SAMPLES then
        redis.call("SADD", prefix .. "samples:" .. name, sample)
    end
end

local function counted(name)
    local key = prefix .. "site:" .. name
    local site, before = read(key)
    use(name)
    decay(site)
    if site.begun ~= 0 and site.open == 0 and now - site.begun >= LONGEST then fold(name, site) end
    local untold = tonumber(argument())
    for _ = 1, tonumber(argument()) do
        count_domain(site, argument(), tonumber(argument()))
    end
    local accepted, recognised = tonumber(argument()), untold
    for _ = 1, accepted do
        if remember(argument(), argument()) then recognised = recognised + 1 end
    end
    site.accepted = site.accepted + accepted + untold
    site.told = site.told + accepted
    for _ = 1, tonumber(argument()) do
        if known(argument(), argument()) then recognised = recognised + 1 end
    end
    count_accepted(name, site, recognised)
    for _ = 1, tonumber(argument()) do
        local bucket, fingerprint, tag, reason, sample = argument(), argument(), argument(), argument(), argument()
        if site.open ~= 0 then
            site.held = site.held + 1
        end
        if known(bucket, fingerprint) then
            count_hard(name, site, tag, bucket .. ":" .. fingerprint, reason, sample)
        elseif site.begun ~= 0 then
            site.unknown_hard = site.unknown_hard + 1
        end
    end
    write(key, site, before)
    local reasons = {}
    for field, value in pairs(site) do
        if string.sub(field, 1, 8) == "stretch:" and value > 0 then
            reasons[#reasons + 1] = string.sub(field, 9) .. ":" .. string.format("%d", value)
        end
    end
    return {
        site.open ~= 0 and site.open or "", site.believed,
        math.floor(site.accepted), math.floor(site.usual_accepted), math.floor(site.usual_hard + 0.5), site.begun,
        site.stretch_accepted, site.stretch_hard, site.unknown_hard, table.concat(reasons, " "),
    }
end

local answers = {}
while at < #ARGV do
    answers[#answers + 1] = counted(argument())
end
return answers
