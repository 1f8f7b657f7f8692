-- Whether an index of this name, found by the search path, stands but is not valid: a build of it was interrupted.
-- PostgreSQL 14 and later. Right: none. Cost: one look into the catalogue.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_index
    WHERE indexrelid = to_regclass(quote_ident(:index)) AND NOT indisvalid
)
