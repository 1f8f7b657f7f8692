-- audit_keys: the key of audit_hash(), in its one row. No model: the service has no business with it.
-- PostgreSQL 14 and later. Right: CREATE on the schema. Cost: some rows of the catalogue.
CREATE TABLE audit_keys (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    inner_pad bytea NOT NULL,
    outer_pad bytea NOT NULL
)
