#!lua flags=allow-oom
-- Announces a Relay, or takes its announcement back.
--
-- KEYS[1]  sorted set of the announced
-- ARGV     relay, now_ms, until_ms ("": it leaves)
-- Returns how many Relays are at work.

if ARGV[3] == "" then
    redis.call("ZREM", KEYS[1], ARGV[1])
else
    redis.call("ZADD", KEYS[1], ARGV[3], ARGV[1])
end
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", ARGV[2])
return redis.call("ZCARD", KEYS[1])
