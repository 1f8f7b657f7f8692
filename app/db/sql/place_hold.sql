-- Places a hold on a room's night, or gives no row when it is another's or was written under a later lease.
-- PostgreSQL 14 and later. Right: SELECT, INSERT and UPDATE on room_holds. Cost: one probe of
-- idx_room_holds_tenant_id_room_night and one row. Whoever holds the night may place again, which prolongs the hold.
INSERT INTO room_holds AS hold (tenant_id, session_id, room, night, held_until, fencing_token)
VALUES (
    cast(:tenant_id AS uuid),
    cast(:session_id AS uuid),
    cast(:room AS text),
    cast(:night AS date),
    clock_timestamp() + cast(:duration AS interval),
    cast(:token AS bigint)
)
ON CONFLICT (tenant_id, room, night) DO UPDATE
SET session_id = excluded.session_id,
    state = 'held',
    held_until = clock_timestamp() + cast(:duration AS interval),
    fencing_token = excluded.fencing_token
WHERE hold.fencing_token <= excluded.fencing_token
AND (
    hold.state = 'cancelled'
    OR hold.state = 'held' AND (hold.session_id = excluded.session_id OR hold.held_until <= clock_timestamp())
)
RETURNING held_until
