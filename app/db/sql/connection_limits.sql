-- How many connections the service's and the admin's role may have: one row. A limit of -1 is none.
-- PostgreSQL 14 and later; reserved_connections came with 16. Right: none. Cost: a look into the catalogue.
SELECT
    current_setting('max_connections')::integer AS server,
    current_setting('superuser_reserved_connections')::integer
    + coalesce(current_setting('reserved_connections', true)::integer, 0) AS reserved,
    (SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = current_database()) AS database,
    (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = current_user) AS role,
    (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = cast(:admin AS text)) AS admin
