-- Tells a circuit breaker how a call that it allowed ended.
-- Redis 6.2 and later (writes after TIME). Needs: TIME, HGET, HGETALL, HSET, HDEL, HINCRBY, DEL, PEXPIRE on the key.
-- Costs one trip; O(1) for a success, O(fields) for a failure and once a slot.
-- KEYS[1]  the breaker's hash, as in breaker_admit.lua
-- ARGV     outcome (success, failure, neutral), epoch, token, failures, share, slots, slot_ms, probes, open_ms, keep_ms
-- Returns  state (0 closed, 1 open, 2 half-open), epoch
local key, outcome, token = KEYS[1], ARGV[1], ARGV[3]
local failures, share = tonumber(ARGV[4]), tonumber(ARGV[5])
local slots, slot_ms = tonumber(ARGV[6]), tonumber(ARGV[7])
local probes, open_ms, keep_ms = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = tonumber(redis.call('HGET', key, 'epoch') or '0')
local half_open_at = tonumber(redis.call('HGET', key, 'half_open_at') or '0')

-- Every change between closed and open begins a new epoch, with nothing else known.
local function begin(half_open)
    epoch = math.max(epoch + 1, now)
    redis.call('DEL', key)
    redis.call('HSET', key, 'epoch', epoch)
    if half_open then
        redis.call('HSET', key, 'half_open_at', half_open)
    end
    redis.call('PEXPIRE', key, keep_ms)
end

local function state()
    if half_open_at == 0 then
        return 0
    end
    return now < half_open_at and 1 or 2
end

local function settle_probe()
    if redis.call('HDEL', key, 'probe:' .. token) == 0 or outcome == 'neutral' then
        return state()
    end
    if outcome == 'failure' then
        begin(now + open_ms)
        return 1
    end
    if redis.call('HINCRBY', key, 'passed', 1) < probes then
        return state()
    end
    begin(nil)
    return 0
end

-- Adds up the slots of the window, and forgets those before it.
local function window(oldest)
    local good, bad = 0, 0
    local fields = redis.call('HGETALL', key)
    for i = 1, #fields, 2 do
        local kind, slot = string.match(fields[i], '^(%a+):(%d+)$')
        if slot and tonumber(slot) < oldest then
            redis.call('HDEL', key, fields[i])
        elseif kind == 'good' then
            good = good + fields[i + 1]
        elseif kind == 'bad' then
            bad = bad + fields[i + 1]
        end
    end
    return good, bad
end

local function settle_call()
    if outcome == 'neutral' then
        return 0
    end
    local slot = math.floor(now / slot_ms)
    local kind = outcome == 'failure' and 'bad' or 'good'
    local count = redis.call('HINCRBY', key, kind .. ':' .. string.format('%d', slot), 1)
    redis.call('PEXPIRE', key, keep_ms)
    if kind == 'good' and count > 1 then
        return 0
    end
    local good, bad = window(slot - slots + 1)
    if kind == 'bad' and bad >= failures and bad >= share * (good + bad) then
        begin(now + open_ms)
        return 1
    end
    return 0
end

-- A call that began before the last change says nothing about what is now.
if tonumber(ARGV[2]) ~= epoch then
    return {state(), epoch}
end
if half_open_at == 0 then
    return {settle_call(), epoch}
end
return {settle_probe(), epoch}
