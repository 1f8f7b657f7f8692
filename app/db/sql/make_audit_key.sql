-- Makes the key of audit_hash(): 32 random bytes, kept as the two blocks of HMAC (RFC 2104), so that a hash needs no XOR.
-- PostgreSQL 14 and later: gen_random_uuid() draws from the server's strong random source, 122 bits a call.
-- Right: INSERT on audit_keys. Cost: one row.
INSERT INTO audit_keys (inner_pad, outer_pad)
SELECT
    string_agg(set_byte('\x00', 0, get_byte(key, place) # 54), '' ORDER BY place),
    string_agg(set_byte('\x00', 0, get_byte(key, place) # 92), '' ORDER BY place)
FROM (
    SELECT
        sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
        || decode(repeat('00', 32), 'hex') AS key
) AS drawn,
generate_series(0, 63) AS place
