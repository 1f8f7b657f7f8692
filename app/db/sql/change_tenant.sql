-- Changes a tenant: a null leaves the column; of the settings, those in `put` are set and those in `removed` taken out.
-- No row where there is no such tenant, or it is deleted. One statement, so that of two changes at once none is undone.
-- PostgreSQL 14 and later. Right: SELECT and UPDATE on tenants, for all tenants. Cost: one row by its key.
UPDATE tenants
SET name = coalesce(cast(:name AS text), name),
    timezone = coalesce(cast(:timezone AS text), timezone),
    settings = (settings || cast(cast(:put AS text) AS jsonb)) - cast(:removed AS text[])
WHERE id = cast(:id AS uuid) AND deleted_at IS NULL
RETURNING id, name, timezone, settings, created_at, updated_at, deleted_at
