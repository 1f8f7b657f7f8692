"""Redundancy traps of uniqueness, of constraints, and of what hangs on one particular index."""

from tests.integration.traps.case import (
    EXCLUSION_VIOLATION,
    GROUPING_ERROR,
    UNDEFINED_OBJECT,
    WRONG_OBJECT_STATE,
    Allows,
    Needs,
    Pair,
    Pinned,
    RedundancyCase,
    Refuses,
    Serves,
    StillAllows,
    StillRefuses,
)

# id and c are distinct, a repeats; row 7 is there to be collided with.
U = (
    "CREATE TABLE t (id int NOT NULL, a int NOT NULL, c int, s text)",
    "INSERT INTO t SELECT i, i % 40, i * 7919 % 2003, md5(i::text) FROM generate_series(1, 2000) i",
)
SAME_ID = "INSERT INTO t SELECT id, a + 1, c + 5000, s || 'x' FROM t WHERE id = 7"
SAME_ID_AND_A = "INSERT INTO t SELECT id, a, c + 5000, s || 'x' FROM t WHERE id = 7"
UPSERT_ID = "INSERT INTO t VALUES (7, 7, 7, 'x') ON CONFLICT (id) DO NOTHING"
UPSERT_ID_A = "INSERT INTO t VALUES (7, 7, 7, 'x') ON CONFLICT (id, a) DO NOTHING"
BY_ID = "SELECT s FROM t WHERE id = 7"

UNIQUENESS = (
    RedundancyCase(
        name="unique_is_not_inside_a_longer_index",
        setup=(*U, "CREATE UNIQUE INDEX idx_t_id ON t (id)", "CREATE INDEX idx_t_id_a ON t (id, a)"),
        proofs=(Refuses("idx_t_id", SAME_ID), Needs("idx_t_id_a", "SELECT id, a FROM t ORDER BY id, a")),
    ),
    RedundancyCase(
        name="unique_is_not_inside_a_longer_unique",
        setup=(*U, "CREATE UNIQUE INDEX idx_t_id ON t (id)", "CREATE UNIQUE INDEX idx_t_id_a ON t (id, a)"),
        proofs=(Refuses("idx_t_id", SAME_ID), Allows("idx_t_id_a", UPSERT_ID_A)),
    ),
    RedundancyCase(
        name="plain_inside_a_longer_unique",
        setup=(*U, "CREATE INDEX idx_t_id ON t (id)", "CREATE UNIQUE INDEX idx_t_id_a ON t (id, a)"),
        redundant=(Pair("idx_t_id", "idx_t_id_a", "prefix"),),
        proofs=(Serves("idx_t_id", BY_ID), Serves("idx_t_id", "SELECT id FROM t ORDER BY id")),
    ),
    RedundancyCase(
        name="plain_twin_of_a_unique",
        setup=(*U, "CREATE INDEX idx_t_id ON t (id)", "CREATE UNIQUE INDEX zz ON t (id)"),
        redundant=(Pair("idx_t_id", "zz", "prefix"),),
        proofs=(Serves("idx_t_id", BY_ID), Refuses("zz", SAME_ID)),
    ),
    RedundancyCase(
        name="unique_twins",
        setup=(*U, "CREATE UNIQUE INDEX idx_t_id ON t (id)", "CREATE UNIQUE INDEX a_twin ON t (id)"),
        redundant=(Pair("a_twin", "idx_t_id"),),
        proofs=(Serves("a_twin", BY_ID), StillRefuses("a_twin", SAME_ID), StillAllows("a_twin", UPSERT_ID)),
    ),
    RedundancyCase(
        name="unique_mirror",
        setup=(
            *U,
            "CREATE UNIQUE INDEX idx_t_id_a ON t (id, a)",
            "CREATE UNIQUE INDEX a_mirror ON t (id DESC, a DESC)",
        ),
        redundant=(Pair("a_mirror", "idx_t_id_a"),),
        proofs=(
            Serves("a_mirror", "SELECT id, a FROM t ORDER BY id DESC, a DESC"),
            StillRefuses("a_mirror", SAME_ID_AND_A),
            StillAllows("a_mirror", UPSERT_ID_A),
        ),
    ),
    RedundancyCase(
        name="unique_columns_swapped",
        setup=(
            *U,
            "CREATE UNIQUE INDEX idx_t_id_a ON t (id, a)",
            "CREATE UNIQUE INDEX idx_t_a_id ON t (a, id)",
        ),
        proofs=(
            Needs("idx_t_id_a", "SELECT id, a FROM t ORDER BY id, a"),
            Needs("idx_t_a_id", "SELECT id, a FROM t ORDER BY a, id"),
        ),
    ),
    RedundancyCase(
        name="unique_inside_a_covering_unique",
        setup=(
            *U,
            "CREATE UNIQUE INDEX idx_t_id ON t (id)",
            "CREATE UNIQUE INDEX idx_t_id_cover ON t (id) INCLUDE (s)",
        ),
        redundant=(Pair("idx_t_id", "idx_t_id_cover", "prefix"),),
        proofs=(
            Serves("idx_t_id", "SELECT a FROM t WHERE id = 7"),
            StillRefuses("idx_t_id", SAME_ID),
            StillAllows("idx_t_id", UPSERT_ID),
        ),
    ),
    RedundancyCase(
        name="unique_inside_a_covering_plain",
        setup=(*U, "CREATE UNIQUE INDEX idx_t_id ON t (id)", "CREATE INDEX idx_t_id_cover ON t (id) INCLUDE (s)"),
        proofs=(Refuses("idx_t_id", SAME_ID), Needs("idx_t_id_cover", "SELECT id, s FROM t WHERE id = 7")),
    ),
    RedundancyCase(
        name="covering_plain_inside_a_covering_unique",
        setup=(
            *U,
            "CREATE INDEX idx_t_id_cover ON t (id) INCLUDE (s)",
            "CREATE UNIQUE INDEX zz ON t (id) INCLUDE (s, a)",
        ),
        redundant=(Pair("idx_t_id_cover", "zz", "prefix"),),
        proofs=(Serves("idx_t_id_cover", "SELECT id, s FROM t WHERE id = 7"), Refuses("zz", SAME_ID)),
    ),
    RedundancyCase(
        name="nulls_not_distinct",
        setup=(
            *U,
            "INSERT INTO t VALUES (5001, 1, NULL, 'one null')",
            "ALTER TABLE t ADD CONSTRAINT t_c_key UNIQUE (c)",
            "CREATE UNIQUE INDEX idx_t_c ON t (c) NULLS NOT DISTINCT",
        ),
        proofs=(Pinned("t_c_key"), Refuses("idx_t_c", "INSERT INTO t VALUES (5002, 1, NULL, 'another')")),
    ),
    RedundancyCase(
        name="nulls_not_distinct_twins",
        setup=(
            *U,
            "INSERT INTO t VALUES (5001, 1, NULL, 'one null')",
            "CREATE UNIQUE INDEX a_twin ON t (c) NULLS NOT DISTINCT",
            "CREATE UNIQUE INDEX idx_t_c ON t (c) NULLS NOT DISTINCT",
        ),
        redundant=(Pair("a_twin", "idx_t_c"),),
        proofs=(
            StillRefuses("a_twin", "INSERT INTO t VALUES (5002, 1, NULL, 'another')"),
            Serves("a_twin", "SELECT s FROM t WHERE c IS NULL"),
        ),
    ),
    RedundancyCase(
        name="unique_expression_is_not_its_column",
        setup=(*U, "CREATE UNIQUE INDEX idx_t_s ON t (s)", "CREATE UNIQUE INDEX idx_t_lower ON t (lower(s))"),
        proofs=(
            Needs("idx_t_s", "SELECT s FROM t ORDER BY s"),
            Refuses("idx_t_lower", "INSERT INTO t SELECT id + 5000, a, c + 5000, upper(s) FROM t WHERE id = 7"),
        ),
    ),
    RedundancyCase(
        name="deferrable_unique_is_weaker",
        setup=(
            *U,
            "ALTER TABLE t ADD CONSTRAINT t_id_key UNIQUE (id) DEFERRABLE INITIALLY DEFERRED",
            "CREATE UNIQUE INDEX idx_t_id ON t (id)",
        ),
        proofs=(
            Pinned("t_id_key"),
            Refuses("idx_t_id", "UPDATE t SET id = id + 1"),
            Allows("idx_t_id", "CREATE TABLE child (t_id int REFERENCES t (id))", WRONG_OBJECT_STATE),
        ),
    ),
    RedundancyCase(
        name="plain_twin_of_a_deferrable_unique",
        setup=(
            *U,
            "ALTER TABLE t ADD CONSTRAINT t_id_key UNIQUE (id) DEFERRABLE INITIALLY DEFERRED",
            "CREATE INDEX idx_t_id ON t (id)",
        ),
        redundant=(Pair("idx_t_id", "t_id_key", "prefix"),),
        proofs=(Serves("idx_t_id", BY_ID), Pinned("t_id_key")),
    ),
)

CONSTRAINTS = (
    RedundancyCase(
        name="plain_twin_of_the_primary_key",
        setup=(*U, "ALTER TABLE t ADD PRIMARY KEY (id)", "CREATE INDEX idx_t_id ON t (id)"),
        redundant=(Pair("idx_t_id", "t_pkey", "prefix"),),
        proofs=(Serves("idx_t_id", BY_ID), Pinned("t_pkey")),
    ),
    RedundancyCase(
        name="unique_twin_of_the_primary_key",
        setup=(*U, "ALTER TABLE t ADD PRIMARY KEY (id)", "CREATE UNIQUE INDEX idx_t_id ON t (id)"),
        redundant=(Pair("idx_t_id", "t_pkey"),),
        proofs=(
            Serves("idx_t_id", BY_ID),
            StillRefuses("idx_t_id", SAME_ID),
            StillAllows("idx_t_id", UPSERT_ID),
            Pinned("t_pkey"),
        ),
    ),
    RedundancyCase(
        name="unique_constraint_beside_the_primary_key",
        setup=(*U, "ALTER TABLE t ADD PRIMARY KEY (id)", "ALTER TABLE t ADD CONSTRAINT t_id_key UNIQUE (id)"),
        redundant=(Pair("t_id_key", "t_pkey"),),
        proofs=(
            Serves("t_id_key", BY_ID),
            StillRefuses("t_id_key", SAME_ID),
            StillAllows("t_id_key", UPSERT_ID),
            Pinned("t_pkey"),
        ),
    ),
    RedundancyCase(
        name="plain_prefix_of_the_primary_key",
        setup=(*U, "ALTER TABLE t ADD PRIMARY KEY (a, id)", "CREATE INDEX idx_t_a ON t (a)"),
        redundant=(Pair("idx_t_a", "t_pkey", "prefix"),),
        proofs=(Serves("idx_t_a", "SELECT s FROM t WHERE a = 7"), Pinned("t_pkey")),
    ),
    RedundancyCase(
        name="primary_key_inside_a_longer_index",
        setup=(*U, "ALTER TABLE t ADD PRIMARY KEY (id)", "CREATE UNIQUE INDEX idx_t_id ON t (id) INCLUDE (a)"),
        proofs=(
            Allows("t_pkey", "SELECT id, s FROM t GROUP BY id", GROUPING_ERROR),
            Needs("idx_t_id", "SELECT id, a FROM t WHERE id = 7"),
        ),
    ),
    RedundancyCase(
        name="plain_twin_of_an_exclusion",
        setup=(
            *U,
            "ALTER TABLE t ADD CONSTRAINT t_c_excl EXCLUDE USING btree (c WITH =)",
            "CREATE INDEX idx_t_c ON t (c)",
        ),
        redundant=(Pair("idx_t_c", "t_c_excl", "prefix"),),
        proofs=(Serves("idx_t_c", "SELECT s FROM t WHERE c = 7"), Pinned("t_c_excl")),
    ),
    RedundancyCase(
        name="exclusion_is_no_unique",
        setup=(
            *U,
            "ALTER TABLE t ADD CONSTRAINT t_id_excl EXCLUDE USING btree (id WITH =)",
            "CREATE UNIQUE INDEX idx_t_id ON t (id)",
        ),
        proofs=(Allows("idx_t_id", UPSERT_ID), Pinned("t_id_excl")),
    ),
    RedundancyCase(
        name="plain_twin_of_a_gist_exclusion",
        setup=(
            "CREATE TABLE t (stay daterange, s text)",
            "INSERT INTO t SELECT daterange('2026-01-01'::date + i, '2026-01-02'::date + i), i::text"
            " FROM generate_series(1, 2000) i",
            "ALTER TABLE t ADD CONSTRAINT t_stay_excl EXCLUDE USING gist (stay WITH &&)",
            "CREATE INDEX idx_t_stay ON t USING gist (stay)",
        ),
        redundant=(Pair("idx_t_stay", "t_stay_excl", "prefix"),),
        proofs=(
            Serves("idx_t_stay", "SELECT s FROM t WHERE stay @> '2026-02-03'::date"),
            Refuses(
                "t_stay_excl", "INSERT INTO t VALUES ('[2026-02-01,2026-02-05)', 'clash')", EXCLUSION_VIOLATION
            ),
            Pinned("t_stay_excl"),
        ),
    ),
    RedundancyCase(
        name="plain_twin_of_a_temporal_key",
        since=18,
        extension="btree_gist",
        setup=(
            "CREATE TABLE t (room int, stay daterange, s text, PRIMARY KEY (room, stay WITHOUT OVERLAPS))",
            "INSERT INTO t SELECT i % 40, daterange('2026-01-01'::date + i, '2026-01-02'::date + i), i::text"
            " FROM generate_series(1, 2000) i",
            "CREATE INDEX idx_t_room_stay ON t USING gist (room, stay)",
        ),
        redundant=(Pair("idx_t_room_stay", "t_pkey", "prefix"),),
        proofs=(
            Serves("idx_t_room_stay", "SELECT s FROM t WHERE room = 7 AND stay @> '2026-02-17'::date"),
            Pinned("t_pkey"),
        ),
    ),
)

DEPENDENTS = (
    RedundancyCase(
        name="referenced_by_a_foreign_key",
        setup=(
            *U,
            "CREATE UNIQUE INDEX a_referenced ON t (id)",
            "CREATE TABLE child (t_id int REFERENCES t (id))",
            "CREATE UNIQUE INDEX idx_t_id ON t (id)",
        ),
        redundant=(Pair("idx_t_id", "a_referenced"),),
        proofs=(
            Serves("idx_t_id", BY_ID),
            StillRefuses("idx_t_id", SAME_ID),
            Pinned("a_referenced"),
        ),
    ),
    RedundancyCase(
        name="referenced_twin_of_the_primary_key",
        setup=(
            *U,
            "CREATE UNIQUE INDEX a_referenced ON t (id)",
            "CREATE TABLE child (t_id int REFERENCES t (id))",
            "ALTER TABLE t ADD PRIMARY KEY (id)",
        ),
        proofs=(Pinned("a_referenced"), Pinned("t_pkey")),
    ),
    RedundancyCase(
        name="replica_identity_twin_of_the_primary_key",
        setup=(
            *U,
            "ALTER TABLE t ADD PRIMARY KEY (id)",
            "CREATE UNIQUE INDEX idx_t_id ON t (id)",
            "ALTER TABLE t REPLICA IDENTITY USING INDEX idx_t_id",
            "CREATE PUBLICATION trap_twin FOR TABLE t",
        ),
        proofs=(Allows("idx_t_id", "DELETE FROM t WHERE id = 7", WRONG_OBJECT_STATE), Pinned("t_pkey")),
    ),
    RedundancyCase(
        name="replica_identity_is_kept_of_twins",
        setup=(
            *U,
            "CREATE UNIQUE INDEX a_identity ON t (id)",
            "CREATE UNIQUE INDEX idx_t_id ON t (id)",
            "ALTER TABLE t REPLICA IDENTITY USING INDEX a_identity",
            "CREATE PUBLICATION trap_identity FOR TABLE t",
        ),
        redundant=(Pair("idx_t_id", "a_identity"),),
        proofs=(
            Serves("idx_t_id", BY_ID),
            StillRefuses("idx_t_id", SAME_ID),
            Allows("a_identity", "DELETE FROM t WHERE id = 7", WRONG_OBJECT_STATE),
        ),
    ),
    RedundancyCase(
        name="clustered_is_kept_of_twins",
        setup=(
            *U,
            "CREATE INDEX a_clustered ON t (a)",
            "CREATE INDEX idx_t_a ON t (a)",
            "CLUSTER t USING a_clustered",
        ),
        redundant=(Pair("idx_t_a", "a_clustered"),),
        proofs=(
            Serves("idx_t_a", "SELECT s FROM t WHERE a = 7"),
            Allows("a_clustered", "CLUSTER t", UNDEFINED_OBJECT),
        ),
    ),
    RedundancyCase(
        name="clustered_prefix",
        setup=(
            *U,
            "CREATE INDEX idx_t_a ON t (a)",
            "CREATE INDEX idx_t_a_id ON t (a, id)",
            "CLUSTER t USING idx_t_a",
        ),
        proofs=(
            Allows("idx_t_a", "CLUSTER t", UNDEFINED_OBJECT),
            Needs("idx_t_a_id", "SELECT a, id FROM t ORDER BY a, id"),
        ),
    ),
)

CASES = (*UNIQUENESS, *CONSTRAINTS, *DEPENDENTS)
