"""Redundancy traps of uniqueness: which index enforces what another one does."""

from tests.integration.traps.case import (
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

CASES = (
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
        name="plain_twin_of_nulls_not_distinct",
        setup=(*U, "CREATE INDEX idx_t_c ON t (c)", "CREATE UNIQUE INDEX zz ON t (c) NULLS NOT DISTINCT"),
        redundant=(Pair("idx_t_c", "zz", "prefix"),),
        proofs=(Serves("idx_t_c", "SELECT s FROM t WHERE c = 7"),),
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
