-- Looks up what the index of accepted messages has for some digests.
--
-- KEYS[1]  key prefix of the tenant
-- ARGV     most positions to give of one, then for every look-up: bucket, digest
-- Returns for every look-up the positions, the latest first.

local ENTRY = 12 -- octets: what commit.lua appends
local results = {}

for at = 2, #ARGV, 2 do
    local entries = redis.call("GET", KEYS[1] .. "found:" .. ARGV[at]) or ""
    local digest, positions = ARGV[at + 1], {}
    local from = 1
    while true do
        local first = string.find(entries, digest, from, true)
        if not first then break end
        local beside = (first - 1) % ENTRY
        if beside == 0 then
            local position = struct.unpack(">I6", entries, first + #digest)
            table.insert(positions, 1, position)
            if #positions > tonumber(ARGV[1]) then table.remove(positions) end
            from = first + ENTRY
        else
            from = first + 1
        end
    end
    results[#results + 1] = positions
end
return results
