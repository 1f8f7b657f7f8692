"""Redundancy traps of constraints, and of what hangs on one particular index."""

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
from tests.integration.traps.cases_unique import BY_ID, SAME_ID, UPSERT_ID, U

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
        name="unique_twin_of_a_unique_constraint",
        setup=(
            *U,
            "ALTER TABLE t ADD CONSTRAINT t_id_key UNIQUE (id)",
            "CREATE UNIQUE INDEX idx_t_id ON t (id)",
        ),
        redundant=(Pair("idx_t_id", "t_id_key"),),
        proofs=(
            Serves("idx_t_id", BY_ID),
            StillRefuses("idx_t_id", SAME_ID),
            StillAllows("idx_t_id", UPSERT_ID),
            Pinned("t_id_key"),
        ),
    ),
    RedundancyCase(
        name="two_unique_constraints",
        setup=(
            *U,
            "ALTER TABLE t ADD CONSTRAINT t_id_key UNIQUE (id)",
            "ALTER TABLE t ADD CONSTRAINT t_id_key1 UNIQUE (id)",
        ),
        redundant=(Pair("t_id_key1", "t_id_key"),),
        proofs=(
            Serves("t_id_key1", BY_ID),
            StillRefuses("t_id_key1", SAME_ID),
            StillAllows("t_id_key1", UPSERT_ID),
            Pinned("t_id_key"),
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
        name="plain_twin_of_a_hash_exclusion",
        setup=(
            *U,
            "ALTER TABLE t ADD CONSTRAINT t_s_excl EXCLUDE USING hash (s WITH =)",
            "CREATE INDEX idx_t_s ON t USING hash (s)",
        ),
        redundant=(Pair("idx_t_s", "t_s_excl", "prefix"),),
        proofs=(
            Serves("idx_t_s", "SELECT a FROM t WHERE s = 'c4ca4238a0b923820dcc509a6f75849b'"),
            Pinned("t_s_excl"),
        ),
    ),
    RedundancyCase(
        name="exclusions_are_the_users_own",
        setup=(
            *U,
            "ALTER TABLE t ADD CONSTRAINT t_id_excl EXCLUDE USING btree (id WITH =)",
            "ALTER TABLE t ADD CONSTRAINT t_id_excl1 EXCLUDE USING btree (id WITH =)",
        ),
        proofs=(Pinned("t_id_excl"), Pinned("t_id_excl1")),
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
            (
                "INSERT INTO t SELECT daterange('2026-01-01'::date + i, '2026-01-02'::date + i), i::text"
                " FROM generate_series(1, 2000) i"
            ),
            "ALTER TABLE t ADD CONSTRAINT t_stay_excl EXCLUDE USING gist (stay WITH &&)",
            "CREATE INDEX idx_t_stay ON t USING gist (stay)",
        ),
        redundant=(Pair("idx_t_stay", "t_stay_excl", "prefix"),),
        proofs=(
            Serves("idx_t_stay", "SELECT s FROM t WHERE stay @> '2026-02-03'::date"),
            Refuses("t_stay_excl", "INSERT INTO t VALUES ('[2026-02-01,2026-02-05)', 'clash')", EXCLUSION_VIOLATION),
            Pinned("t_stay_excl"),
        ),
    ),
    RedundancyCase(
        name="plain_twin_of_a_temporal_key",
        since=18,
        extension="btree_gist",
        setup=(
            "CREATE TABLE t (room int, stay daterange, s text, PRIMARY KEY (room, stay WITHOUT OVERLAPS))",
            (
                "INSERT INTO t SELECT i % 40, daterange('2026-01-01'::date + i, '2026-01-02'::date + i), i::text"
                " FROM generate_series(1, 2000) i"
            ),
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

CASES = (*CONSTRAINTS, *DEPENDENTS)
