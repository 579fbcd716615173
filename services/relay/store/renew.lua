#!lua flags=allow-oom
-- Prolongs leases of a shard.
--
-- KEYS[1]  key prefix of the shard
-- ARGV     end of the lease_ms, then for every message: number, fence
-- Returns for every message 1, or 0 when the lease is another's by now.

local prefix, results = KEYS[1], {}
for at = 2, #ARGV, 2 do
    local lease = redis.call("HGET", prefix .. "leases", ARGV[at])
    if lease and string.match(lease, "^%S+") == ARGV[at + 1] then
        -- GT: it may come late, behind one that prolonged the lease further.
        redis.call("ZADD", prefix .. "leased", "GT", ARGV[1], ARGV[at])
        results[#results + 1] = 1
    else
        results[#results + 1] = 0
    end
end
return results
