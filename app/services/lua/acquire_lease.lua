-- Takes a lease for ARGV[2] milliseconds unless it is taken: KEYS[1] the lease, ARGV[1] the holder's secret. 1 if the
-- caller has it, also when the same call was sent twice because the first answer was lost.
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[1]) == ARGV[1] then
    return 1
end
return 0
