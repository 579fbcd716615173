#!lua flags=no-writes
-- Gives the oldest entries of the outbox of a shard.
--
-- KEYS[1]  key prefix of the shard
-- ARGV     at most so many
-- Returns for every entry its name and its items, one after the other.

local flat = {}
for _, entry in ipairs(redis.call("XRANGE", KEYS[1] .. "outbox", "-", "+", "COUNT", ARGV[1])) do
    flat[#flat + 1] = entry[1]
    flat[#flat + 1] = entry[2][2]
end
return flat
