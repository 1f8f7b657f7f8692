-- Makes the roles that rights and policies are given to; roles belong to the whole server, so they may be there already.
-- hotel_service: what the service's login is a member of. hotel_admin: the same for work on all tenants.
-- hotel_search: owns functions that look across tenants. hotel_audit: owns the audit trigger's functions.
-- PostgreSQL 14 and later. Right: CREATEROLE where one is missing. Cost: some rows of the catalogue.
-- The last step lets a migration's owner who is no superuser give functions to hotel_audit and hotel_search.
DO $body$
DECLARE
    wanted CONSTANT text[] := ARRAY['hotel_service', 'hotel_admin', 'hotel_search', 'hotel_audit'];
    role text;
BEGIN
    FOREACH role IN ARRAY wanted LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- made at the same moment for another database
            END;
        END IF;
    END LOOP;
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ANY (wanted) AND (rolsuper OR rolbypassrls)) THEN
        RAISE EXCEPTION 'a role of the hotel is above row level security'
            USING HINT = 'ALTER ROLE hotel_… NOSUPERUSER NOBYPASSRLS, for hotel_service, hotel_admin, hotel_search and hotel_audit.';
    END IF;
    FOREACH role IN ARRAY ARRAY['hotel_search', 'hotel_audit'] LOOP
        IF NOT pg_has_role(role, 'USAGE') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', role);
        END IF;
    END LOOP;
END
$body$
