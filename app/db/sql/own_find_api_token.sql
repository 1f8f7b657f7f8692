-- Gives find_api_token() to hotel_search, and lets only the service's roles call it.
-- PostgreSQL 14 and later. Right: owner of the function and of the schema, member of hotel_search. Cost: catalogue rows.
-- A function's new owner must be able to make it, which hotel_search may for this moment only.
DO $body$
BEGIN
    GRANT CREATE ON SCHEMA public TO hotel_search;
    ALTER FUNCTION public.find_api_token(uuid) OWNER TO hotel_search;
    REVOKE CREATE ON SCHEMA public FROM hotel_search;
    REVOKE EXECUTE ON FUNCTION public.find_api_token(uuid) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION public.find_api_token(uuid) TO hotel_service, hotel_admin;
END
$body$
