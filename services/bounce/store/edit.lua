#!lua
-- Writes down what an operator says of some rows: of all that are there, or of none.
--
-- KEYS[1]  key prefix of the rows
-- ARGV     now_ms, name of the new revision, status ("0": it stays, with all that belongs to it), what the
--          operator says ("": nothing), what decides from now on ("": the rules), actor, comment,
--          whether to begin the counts anew (1, 0), most rows that operators may have decided on, when
--          the rows as he has seen them were set last_ms ("": whenever it was), then the MD5s
-- Returns for every row GONE, SET or what speaks against setting any; nothing at all where there would be too
-- many decisions.
--
-- services/bounce/store/rows.py describes the keys.

local prefix = KEYS[1]
local now, revision, status, said, decides = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local actor, comment, reset, most = ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9])
local seen = tonumber(ARGV[10])
local FIRST = 11
local TO_QUALIFY, KEEP = "1", "2"
local GONE, SET, WITHOUT_MEANING, CHANGED = 0, 1, 2, 3

-- Keep alone says nothing new: what was kept stays what it is, and of the others the rules have to know what
-- they mean.
local keep_alone = status == KEEP and said == ""

local function judged(md5)
    local was = redis.call("HMGET", prefix .. "row:" .. md5, "status", "edit", "rules_status", "modified_ms")
    if not was[1] then
        return GONE
    elseif seen and tonumber(was[4] or 0) > seen then
        return CHANGED
    elseif keep_alone and was[3] ~= KEEP and not (was[1] == KEEP and (was[2] or "") ~= "") then
        return WITHOUT_MEANING
    end
    return SET
end

local found, new, refused = {}, 0, false
for at = FIRST, #ARGV do
    local verdict = judged(ARGV[at])
    found[at - FIRST + 1] = verdict
    refused = refused or verdict > SET
    if verdict == SET and redis.call("SISMEMBER", prefix .. "touched", ARGV[at]) == 0 then
        new = new + 1
    end
end
if refused then
    return found
end
if status ~= "0" and status ~= TO_QUALIFY and redis.call("SCARD", prefix .. "touched") + new > most then
    return {}
end

local age = tonumber(redis.call("GET", prefix .. "age") or 0)

local function begin_anew(md5, row)
    redis.call("HSET", row, "occurrences", 0, "final", 0, "cost", 0)
    redis.call("ZADD", prefix .. "cost:" .. redis.call("HGET", row, "status"), 0, md5)
    redis.call("ZADD", prefix .. "untouched", "XX", age, md5)
end

local function decide(md5, row)
    local was = redis.call("HMGET", row, "status", "cost", "occurrences")
    redis.call("HSET", row, "status", status, "modified_ms", now, "actor", actor, "comment", comment)
    redis.call("ZREM", prefix .. "cost:" .. was[1], md5)
    redis.call("ZADD", prefix .. "cost:" .. status, was[2], md5)
    if status == TO_QUALIFY then
        redis.call("SREM", prefix .. "touched", md5)
        redis.call("ZADD", prefix .. "untouched", age + was[3], md5)
    else
        redis.call("SADD", prefix .. "touched", md5)
        redis.call("ZREM", prefix .. "untouched", md5)
    end
    if keep_alone and was[1] == KEEP then
        return
    end
    redis.call("HSET", row, "edit", said)
    if decides == "" then
        redis.call("HDEL", prefix .. "edits", md5)
    else
        redis.call("HSET", prefix .. "edits", md5, decides)
    end
end

for at = FIRST, #ARGV do
    local md5 = ARGV[at]
    local row = prefix .. "row:" .. md5
    if found[at - FIRST + 1] == SET then
        if status ~= "0" then
            decide(md5, row)
        end
        if reset == "1" then
            begin_anew(md5, row)
        end
    end
end
if status ~= "0" then
    redis.call("SET", prefix .. "revision", revision)
end
return found
