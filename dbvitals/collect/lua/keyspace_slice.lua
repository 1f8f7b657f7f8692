-- what: one slice of a pass over the keyspace: scans until its time or its number of keys is spent, and gives sums by pattern
-- since: Redis 6.2 (EVAL), 7.0 (EVAL_RO), any Valkey
-- right: eval_ro or eval, scan, pttl, memory|usage, type, object|encoding, time; a command that is denied is reported once
-- cost: the budget, and at most one more SCAN; adds one hit a key (PTTL), two more for each key whose type is asked
--
-- ARGV: cursor, COUNT of a SCAN, budget (us), most keys, clock (os, time or none), ask PTTL, ask MEMORY USAGE,
--       one key in so many is asked for its type (0: none), look for expiring fields, bytes of a large key,
--       separators as a class of Lua, number of families, then for each: prefix, pattern, Lua pattern of its tenant
local ask, match, find, sub, gsub, byte = redis.pcall, string.match, string.find, string.sub, string.gsub, string.byte
local floor, frexp = math.floor, math.frexp
local cursor, count, budget, most, clock = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local ask_ttl, ask_memory, stride, ask_fields = ARGV[6] == '1', ARGV[7] == '1', tonumber(ARGV[8]), ARGV[9] == '1'
local large_bytes, separators = tonumber(ARGV[10]), ARGV[11]
local head, part = '^[^' .. separators .. ']*[' .. separators .. ']', '[^' .. separators .. '{}]+'
local lead = '*' .. sub(separators, 2, 2)
-- A plain search for one separator takes half as long as a pattern.
local single = #separators == 2 and sub(separators, 2, 2)

-- What stands from here to the next separator, with it.
local function head_at(key, start)
  if not single then return match(key, head, start) end
  local stop = find(key, single, start, true)
  return stop and sub(key, start, stop)
end

local heads, others, tenant_of = {}, {}, {}
for i = 13, 12 + 3 * tonumber(ARGV[12]), 3 do
  local prefix, name = ARGV[i], ARGV[i + 1]
  if head_at(prefix, 1) == prefix then heads[prefix] = name else others[#others + 1] = {prefix, name} end
  if ARGV[i + 2] ~= '' then tenant_of[name] = ARGV[i + 2] end
end

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

local digits4 = '%x%x%x%x'
local uuid = '^' .. digits4 .. digits4 .. ('%-' .. digits4):rep(3) .. '%-' .. digits4:rep(3) .. '$'

-- Words without a digit come again and again; the others seldom.
local words = {}

local function shape(word)
  local known = words[word]
  if known then return known end
  if find(word, '[^ -~]') then return '<bytes>' end
  local email = '[^@ ]@[^@ ]+%.[^@ ]'
  if find(word, '%d') then
    if find(word, '^%d+$') then return '<n>' end
    if #word == 36 and find(word, uuid) then return '<uuid>' end
    if find(word, email) then return '<email>' end
    if #word >= 8 and find(word, '^%+%d[%d ()%-]+$') then return '<phone>' end
    if #word >= 8 and find(word, '^%x+$') then return '<hex>' end
    if select(2, gsub(word, '%d+%a', '')) >= 3 then return '<id>' end
  elseif find(word, email) then
    return '<email>'
  end
  if find(word, ' ', 1, true) then return '<text>' end
  if #word > 40 then return '<long>' end
  local shown, numbers = gsub(gsub(word, '[*\\]', '\\%0'), '%d+', '<n>')
  if numbers == 0 then words[word] = shown end
  return shown
end

-- The longest declared prefix; `others`, those that are not one part and its separator, come longest first.
local function family_at(key, start)
  local first = head_at(key, start)
  local found = first and heads[first]
  if #others == 0 then return found end
  local least = found and #first or 0
  for i = 1, #others do
    local other = others[i]
    if #other[1] <= least then break end
    if sub(key, start, start + #other[1] - 1) == other[1] then return other[2] end
  end
  return found
end

-- The pattern, the family when it is a declared one, and where the family's own name begins.
local function pattern_of(key)
  local start = byte(key) == 123 and 2 or 1
  local name = family_at(key, start)
  if name then return name, name, start end
  for _ = 1, 3 do
    local first = head_at(key, start)
    if not first or #first == 1 then break end
    start = start + #first
    name = family_at(key, start)
    if name then return lead .. name, name, start end
  end
  if key == '' then return '<empty>' end
  if #key <= 128 then return (gsub(key, part, shape)) end
  -- Without the part that is cut: it may be half an address.
  return (gsub(gsub(sub(key, 1, 128), part .. '$', ''), part, shape)) .. '*'
end

local errors = {}
local function failed(command, answer)
  if type(answer) ~= 'table' or not answer.err then return false end
  if errors[command] == nil then errors[command] = answer.err end
  return true
end

local patterns, rows, tenants, large = {}, {}, {}, {}
local seen, hits, misses, elapsed = 0, 0, 0, 0

local function row_of(pattern)
  local row = patterns[pattern]
  if not row then
    row = {pattern, 0, 0, 0, 0, 0, 0, -1, -1, 0, 0, 0, 0, {}, {}, '', -1, 0}
    patterns[pattern] = row
    rows[#rows + 1] = row
  end
  return row
end

local function add_ttl(row, ttl)
  row[5] = row[5] + 1
  if ttl == -1 then
    row[6] = row[6] + 1
    return
  end
  row[7] = row[7] + ttl
  if row[8] < 0 or ttl < row[8] then row[8] = ttl end
  if ttl > row[9] then row[9] = ttl end
  local bucket = 0
  if ttl > 0 then
    local mantissa, exponent = frexp(ttl)
    bucket = exponent * 16 + floor((mantissa - 0.5) * 32)
  end
  row[14][bucket] = (row[14][bucket] or 0) + 1
end

local function add_type(row, key, ttl)
  local kind = ask('TYPE', key)
  if failed('TYPE', kind) then return end
  -- With PTTL denied, this is the first to find that a key has vanished.
  if kind.ok == 'none' then misses = misses + 1 return end
  hits = hits + 1
  local encoding = ask('OBJECT', 'ENCODING', key)
  if failed('OBJECT ENCODING', encoding) then encoding = '' end
  if not encoding then misses = misses + 1 return end
  if encoding ~= '' then hits = hits + 1 end
  row[12] = row[12] + 1
  local name = kind.ok .. '/' .. encoding
  row[15][name] = (row[15][name] or 0) + 1
  if ask_fields and kind.ok == 'hash' and ttl == -1 then
    local field = ask('HRANDFIELD', key)
    if failed('HRANDFIELD', field) or not field then return end
    local left = ask('HPTTL', key, 'FIELDS', '1', field)
    hits = hits + 2
    if failed('HPTTL', left) then return end
    if left[1] and left[1] >= 0 then row[13] = row[13] + 1 end
  end
end

local function add_tenant(family, key, start, bytes)
  local tenant = match(key, tenant_of[family], start)
  if not tenant then return end
  local sums = tenants[tenant]
  if not sums then sums = {0, 0} tenants[tenant] = sums end
  sums[1], sums[2] = sums[1] + 1, sums[2] + bytes
end

local function add(key)
  local pattern, family, start = pattern_of(key)
  local row = row_of(pattern)
  local ttl
  if ask_ttl then
    ttl = ask('PTTL', key)
    if type(ttl) ~= 'number' then
      failed('PTTL', ttl)
      -- Neither hit nor miss: the key is another node's by now, or not for this user; or the command is not.
      if find(ttl.err, 'non local key') then row[3] = row[3] + 1 return end
      if find(ttl.err, 'access') then row[4] = row[4] + 1 return end
      ask_ttl, ttl = false, nil
    elseif ttl == -2 then
      misses = misses + 1
      row[3] = row[3] + 1
      return
    else
      hits = hits + 1
      add_ttl(row, ttl)
    end
  end
  row[2] = row[2] + 1
  local bytes = 0
  if ask_memory then
    local answer = ask('MEMORY', 'USAGE', key)
    if type(answer) == 'number' then
      bytes = answer
      row[10], row[11] = row[10] + 1, row[11] + bytes
      if ttl == -1 then row[18] = row[18] + bytes end
      if bytes >= large_bytes then large[#large + 1] = {pattern, key, bytes, ttl == -1 and 1 or 0} end
    else
      failed('MEMORY USAGE', answer)
    end
  end
  if bytes > row[17] then row[16], row[17] = key, bytes end
  if stride > 0 and seen % stride == 0 then add_type(row, key, ttl) end
  if family and tenant_of[family] then add_tenant(family, key, start, bytes) end
end

local function flat(map)
  local list = {}
  for key, value in pairs(map) do list[#list + 1], list[#list + 2] = key, value end
  return list
end

local began = now()
repeat
  local page = ask('SCAN', cursor, 'COUNT', count)
  if failed('SCAN', page) then return page end
  cursor = page[1]
  for i = 1, #page[2] do
    seen = seen + 1
    add(page[2][i])
  end
  elapsed = floor(now() - began)
until cursor == '0' or elapsed >= budget or seen >= most

for i = 1, #rows do rows[i][14], rows[i][15] = flat(rows[i][14]), flat(rows[i][15]) end
local shares = {}
for tenant, sums in pairs(tenants) do shares[#shares + 1] = {tenant, sums[1], sums[2]} end
return {cursor, seen, elapsed, hits, misses, rows, large, shares, flat(errors)}
