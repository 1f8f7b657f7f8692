-- Makes a hold a booking, or gives no row when it ran out, is another's, or was written under a later lease.
-- PostgreSQL 14 and later. Right: SELECT and UPDATE on room_holds. Cost: one probe of
-- idx_room_holds_tenant_id_room_night and one row.
UPDATE room_holds
SET state = 'confirmed', fencing_token = cast(:token AS bigint)
WHERE tenant_id = cast(:tenant_id AS uuid) AND room = cast(:room AS text) AND night = cast(:night AS date)
AND session_id = cast(:session_id AS uuid) AND fencing_token <= cast(:token AS bigint)
AND (state = 'confirmed' OR state = 'held' AND held_until > clock_timestamp())
RETURNING state
