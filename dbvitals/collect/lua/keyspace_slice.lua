-- what: one slice of a pass over the keyspace: scans until its time or its number of keys is spent, and gives for each
--       key what the server knows of it; what is denied stands as an error where its answer would
-- since: Redis 6.2 (EVAL), 7.0 (EVAL_RO), any Valkey
-- right: eval_ro or eval, scan, pttl, memory|usage, type, object|encoding, time
-- cost: the budget, and at most one more SCAN; adds one hit a key (PTTL), two more for each key whose type is asked,
--       and two for each hash of them whose fields are
--
-- ARGV: cursor, COUNT of a SCAN, budget (us), most keys, clock (os, time or none), then 0 or 1 each: ask PTTL, ask MEMORY
--       USAGE, ask OBJECT ENCODING, look for expiring fields; and: one key in so many is asked for its type (0: none),
--       and 0 or 1: look for expiring fields in all keys without TTL
-- gives: next cursor, us spent, names, PTTLs, bytes, and of some keys {place from 1, type, encoding, fields, their PTTLs};
--       the same of the other keys without TTL
--
-- It adds nothing up: sums and patterns made here took the server as long again as all these commands, and of the few
-- hundred keys of a slice they are hardly shorter than the keys themselves.
local ask = redis.pcall
local cursor, count, budget, most, clock = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local ask_ttl, ask_memory, ask_encoding, ask_fields = ARGV[6] == '1', ARGV[7] == '1', ARGV[8] == '1', ARGV[9] == '1'
local stride, ask_staying = tonumber(ARGV[10]), ARGV[11] == '1'

local has_clock = false
pcall(function() has_clock = os.clock ~= nil end)
local function now()
  if clock == 'none' then return 0 end
  if has_clock then return os.clock() * 1000000 end
  local time = ask('TIME')
  -- A clock that may not be asked stands still, and the client then measures for itself.
  if time.err then return 0 end
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function type_of(place, key, ttl)
  local kind = ask('TYPE', key)
  -- With PTTL denied, this is the first to find that a key has vanished.
  if kind.err or kind.ok == 'none' then return {place, kind, false, false, false} end
  local encoding = ask_encoding and ask('OBJECT', 'ENCODING', key)
  local fields, left = false, false
  if ask_fields and kind.ok == 'hash' and ttl == -1 then
    fields = ask('HRANDFIELD', key, '3')
    if #fields > 0 then
      left = ask('HPTTL', key, 'FIELDS', #fields, unpack(fields))
      fields = #fields
    end
  end
  return {place, kind, encoding, fields, left}
end

local names, ttls, sizes, types, staying, seen, elapsed = {}, {}, {}, {}, {}, 0, 0
local began = now()
repeat
  local page = ask('SCAN', cursor, 'COUNT', count)
  if page.err then return page end
  cursor = page[1]
  local keys = page[2]
  for i = 1, #keys do
    local key = keys[i]
    seen = seen + 1
    names[seen] = key
    if ask_ttl then ttls[seen] = ask('PTTL', key) end
    if ask_memory then sizes[seen] = ask('MEMORY', 'USAGE', key) end
    if stride > 0 and seen % stride == 0 then
      types[#types + 1] = type_of(seen, key, ttls[seen])
    elseif ask_staying and ttls[seen] == -1 then
      staying[#staying + 1] = type_of(seen, key, -1)
    end
  end
  elapsed = math.floor(now() - began)
until cursor == '0' or elapsed >= budget or seen >= most
return {cursor, elapsed, names, ttls, sizes, types, staying}
