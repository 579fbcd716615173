#!lua
-- Writes down what an operator says of some rows: of all that are there, or of none.
--
-- KEYS[1]  key prefix of the rows
-- ARGV     now_ms, name of the new revision, status ("0": it stays, with all that belongs to it), what the
--          operator says ("": nothing), what decides from now on ("": the rules), actor, comment,
--          whether to begin the counts anew (1, 0), most rows that operators may have decided on,
--          then the MD5s
-- Returns 1 for every row that is there, else 0; nothing at all where there would be too many decisions.
--
-- services/bounce/store/rows.py describes the keys.

local prefix = KEYS[1]
local now, revision, status, said, decides = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local actor, comment, reset, most = ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9])
local TO_QUALIFY = "1"

local found, new = {}, 0
for at = 10, #ARGV do
    found[at - 9] = redis.call("EXISTS", prefix .. "row:" .. ARGV[at])
    if found[at - 9] == 1 and redis.call("SISMEMBER", prefix .. "touched", ARGV[at]) == 0 then
        new = new + 1
    end
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
    redis.call("HSET", row, "status", status, "edit", said, "modified_ms", now, "actor", actor,
        "comment", comment)
    redis.call("ZREM", prefix .. "cost:" .. was[1], md5)
    redis.call("ZADD", prefix .. "cost:" .. status, was[2], md5)
    if status == TO_QUALIFY then
        redis.call("SREM", prefix .. "touched", md5)
        redis.call("ZADD", prefix .. "untouched", age + was[3], md5)
    else
        redis.call("SADD", prefix .. "touched", md5)
        redis.call("ZREM", prefix .. "untouched", md5)
    end
    if decides == "" then
        redis.call("HDEL", prefix .. "edits", md5)
    else
        redis.call("HSET", prefix .. "edits", md5, decides)
    end
end

for at = 10, #ARGV do
    local md5 = ARGV[at]
    local row = prefix .. "row:" .. md5
    if found[at - 9] == 1 then
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
