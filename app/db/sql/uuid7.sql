-- uuid7(): a version 7 UUID (RFC 9562), the server's default of every key that the client did not make itself.
-- PostgreSQL 14 and later: gen_random_uuid() is in the core, and a body in standard SQL is bound when it is made,
-- so no search_path can change what it calls. (18 has uuidv7() of its own; one function for all versions is simpler.)
-- Right: CREATE on the schema. Cost: about 2 microseconds a call.
-- How: a version 4 UUID, its first 48 bits replaced by Unix time in milliseconds, and its version 4 (0100) made 7 (0111).
CREATE OR REPLACE FUNCTION uuid7() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN encode(
    set_bit(
        set_bit(
            overlay(
                uuid_send(gen_random_uuid())
                PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6
            ),
            52, 1
        ),
        53, 1
    ),
    'hex'
)::uuid
