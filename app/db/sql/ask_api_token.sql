-- Whose token this is ($1), what its secret hashes to, and how long it is good for; no row where it is none.
-- PostgreSQL 14 and later. Right: EXECUTE on find_api_token. Cost: that of find_api_token.
SELECT found_tenant AS tenant_id, found_hash AS secret_hash, expires_in FROM find_api_token($1)
