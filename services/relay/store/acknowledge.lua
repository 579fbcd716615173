#!lua flags=allow-oom
-- Drops what Feedback has from the outbox of a shard. Safe to repeat.
--
-- KEYS[1]  key prefix of the shard
-- ARGV     outcomes that leave, items to report again behind the others ("": none), items that are refused
--          for good ("": none), then the names of the entries
-- What was dropped already, by a call whose answer got lost, is neither counted nor appended twice.

local outbox = KEYS[1] .. "outbox"
if redis.call("XDEL", outbox, unpack(ARGV, 4)) == 0 then return end
redis.call("DECRBY", outbox .. "_size", ARGV[1])
if ARGV[2] ~= "" then redis.call("XADD", outbox, "*", "items", ARGV[2]) end
if ARGV[3] ~= "" then redis.call("XADD", KEYS[1] .. "dead", "*", "items", ARGV[3]) end
-- What two owners of the shard drop in part is counted twice: the cap of the outbox must not drift by it.
if redis.call("XLEN", outbox) == 0 then redis.call("DEL", outbox .. "_size") end
