#!lua flags=allow-oom
-- Counts, and takes its time.
--
-- KEYS[1]  key prefix
-- ARGV     how often to go round before the answer
-- Returns how often it has run for this prefix.

local count = redis.call("INCR", KEYS[1] .. "count")
for _ = 1, tonumber(ARGV[1]) do end
return count
