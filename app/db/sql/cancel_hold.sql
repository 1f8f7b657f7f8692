-- Frees a room's night, or gives no row when it is another's or was written under a later lease.
-- PostgreSQL 14 and later. Right: SELECT and UPDATE on room_holds. Cost: one probe of
-- idx_room_holds_tenant_id_room_night and one row. The row stays, and with it the token.
UPDATE room_holds
SET state = 'cancelled', fencing_token = cast(:token AS bigint)
WHERE tenant_id = cast(:tenant_id AS uuid) AND room = cast(:room AS text) AND night = cast(:night AS date)
AND session_id = cast(:session_id AS uuid) AND fencing_token <= cast(:token AS bigint)
RETURNING state
