-- Asks a circuit breaker for leave to call.
-- Redis 6.2 and later (writes after TIME). Needs: TIME, HGET, HGETALL, HSET, HDEL, HEXISTS, PEXPIRE on the key.
-- Costs one trip; O(1) while closed or open, O(fields) while half-open, of which there are a few.
-- KEYS[1]  the breaker's hash: epoch, half_open_at, passed, probe:<token>, good:<slot>, bad:<slot>
-- ARGV     probes, probe_ms, token, keep_ms
-- Returns  state (0 closed, 1 open, 2 half-open), allowed (0, 1), epoch, milliseconds to wait
local key = KEYS[1]
local probes, probe_ms, token, keep_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = tonumber(redis.call('HGET', key, 'epoch') or '0')
if epoch == 0 then
    -- Nothing is known. Epochs are times, so that they grow even when Redis has lost them.
    epoch = now
    redis.call('HSET', key, 'epoch', epoch)
    redis.call('PEXPIRE', key, keep_ms)
end
local half_open_at = tonumber(redis.call('HGET', key, 'half_open_at') or '0')

if half_open_at == 0 then
    return {0, 1, epoch, 0}
end
if now < half_open_at then
    return {1, 0, epoch, half_open_at - now}
end
-- Asked again because the first answer was lost on its way.
if redis.call('HEXISTS', key, 'probe:' .. token) == 1 then
    return {2, 1, epoch, 0}
end

local taken = tonumber(redis.call('HGET', key, 'passed') or '0')
local wait = probe_ms
local fields = redis.call('HGETALL', key)
for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 6) == 'probe:' then
        local left = tonumber(fields[i + 1]) - now
        if left <= 0 then
            redis.call('HDEL', key, fields[i]) -- its holder died: the leave goes to another
        else
            taken = taken + 1
            wait = math.min(wait, left)
        end
    end
end
if taken >= probes then
    return {2, 0, epoch, wait}
end
redis.call('HSET', key, 'probe:' .. token, now + probe_ms)
redis.call('PEXPIRE', key, keep_ms)
return {2, 1, epoch, 0}
