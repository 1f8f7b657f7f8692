-- The token of the lease under which a room's night was written last; no row when it never was.
-- PostgreSQL 14 and later. Right: SELECT on room_holds. Cost: one probe of idx_room_holds_tenant_id_room_night.
SELECT fencing_token
FROM room_holds
WHERE tenant_id = cast(:tenant_id AS uuid) AND room = cast(:room AS text) AND night = cast(:night AS date)
