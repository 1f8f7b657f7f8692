-- what: a table made outside of the models, and a guest's right to be forgotten
-- since: 14
-- right: owner of sessions
-- cost: two rows for each session
CREATE TABLE room_offers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL,
    session_id uuid NOT NULL,
    room integer NOT NULL,
    offered_until timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, session_id) REFERENCES sessions (tenant_id, id) ON DELETE CASCADE
);
INSERT INTO room_offers (tenant_id, session_id, room, offered_until)
SELECT s.tenant_id, s.id, 100 + n, s.created_at + interval '15 minutes'
FROM sessions AS s CROSS JOIN generate_series(1, 2) AS n
ORDER BY s.created_at, s.id, n;
DELETE FROM sessions
WHERE (tenant_id, id) IN (SELECT tenant_id, id FROM sessions WHERE state = 'closed' ORDER BY created_at, id LIMIT 20);
ANALYZE room_offers;
