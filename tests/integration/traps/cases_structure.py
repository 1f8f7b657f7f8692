"""Redundancy traps of how tables are built: partitions, materialised views, and indexes that are not usable."""

from tests.integration.traps.case import (
    WRONG_OBJECT_STATE,
    Allows,
    Broken,
    Needs,
    Pair,
    Pinned,
    RedundancyCase,
    Refuses,
    Serves,
    StillRefuses,
)
from tests.integration.traps.cases_btree import T

PARTITIONED = (
    "CREATE TABLE t (a int NOT NULL, b int NOT NULL, s text) PARTITION BY RANGE (a)",
    "CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (20)",
    "CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (20) TO (40)",
    "INSERT INTO t SELECT i % 40, i, md5(i::text) FROM generate_series(1, 2000) i",
)
TREE = (
    "CREATE TABLE t (a int NOT NULL, b int NOT NULL, s text) PARTITION BY RANGE (a)",
    "CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (20) PARTITION BY LIST (a)",
    "CREATE TABLE t_low_even PARTITION OF t_low FOR VALUES IN (0, 2, 4, 6, 8, 10, 12, 14, 16, 18)",
    "CREATE TABLE t_low_rest PARTITION OF t_low DEFAULT",
    "CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (20) TO (40)",
    "INSERT INTO t SELECT i % 40, i, md5(i::text) FROM generate_series(1, 2000) i",
)
VIEW = (*T, "CREATE MATERIALIZED VIEW v AS SELECT c AS id, a, b, s FROM t WHERE c IS NOT NULL")
REFRESH = "REFRESH MATERIALIZED VIEW CONCURRENTLY v"
SPOIL = "UPDATE pg_index SET {} = false WHERE indexrelid = '{}'::regclass"

PARTITIONS = (
    RedundancyCase(
        name="partitioned_twins",
        setup=(*PARTITIONED, "CREATE INDEX idx_t_b ON t (b)", "CREATE INDEX a_twin ON t (b)"),
        redundant=(Pair("a_twin", "idx_t_b"),),
        proofs=(Serves("a_twin", "SELECT s FROM t WHERE b = 7"), Serves("a_twin", "SELECT b FROM t ORDER BY b")),
    ),
    RedundancyCase(
        name="partitioned_prefix",
        setup=(*PARTITIONED, "CREATE INDEX idx_t_b ON t (b)", "CREATE INDEX idx_t_b_a ON t (b, a)"),
        redundant=(Pair("idx_t_b", "idx_t_b_a", "prefix"),),
        proofs=(Serves("idx_t_b", "SELECT s FROM t WHERE b = 7"),),
    ),
    RedundancyCase(
        name="partitioned_tree_twins",
        setup=(*TREE, "CREATE INDEX idx_t_b ON t (b)", "CREATE INDEX a_twin ON t (b)"),
        redundant=(Pair("a_twin", "idx_t_b"),),
        proofs=(Serves("a_twin", "SELECT s FROM t WHERE b = 7"),),
    ),
    RedundancyCase(
        name="partitioned_key_and_its_twin",
        setup=(*PARTITIONED, "ALTER TABLE t ADD PRIMARY KEY (b, a)", "CREATE UNIQUE INDEX idx_t_b_a ON t (b, a)"),
        redundant=(Pair("idx_t_b_a", "t_pkey"),),
        proofs=(
            Serves("idx_t_b_a", "SELECT s FROM t WHERE b = 7 AND a = 7"),
            StillRefuses("idx_t_b_a", "INSERT INTO t VALUES (7, 7, 'x')"),
            Pinned("t_pkey"),
        ),
    ),
    RedundancyCase(
        name="local_twin_of_an_attached_index",
        setup=(*PARTITIONED, "CREATE INDEX idx_t_b ON t (b)", "CREATE INDEX a_local ON t_low (b)"),
        redundant=(Pair("a_local", "t_low_b_idx"),),
        proofs=(Serves("a_local", "SELECT s FROM t_low WHERE b = 7"), Pinned("t_low_b_idx")),
    ),
    RedundancyCase(
        name="local_prefix_of_an_attached_index",
        setup=(*PARTITIONED, "CREATE INDEX idx_t_b_a ON t (b, a)", "CREATE INDEX a_local ON t_low (b)"),
        redundant=(Pair("a_local", "t_low_b_a_idx", "prefix"),),
        proofs=(Serves("a_local", "SELECT s FROM t_low WHERE b = 7"), Pinned("t_low_b_a_idx")),
    ),
    RedundancyCase(
        name="local_tree_twin_of_an_attached_index",
        setup=(*TREE, "CREATE INDEX idx_t_b ON t (b)", "CREATE INDEX a_local ON t_low (b)"),
        redundant=(Pair("a_local", "t_low_b_idx"),),
        proofs=(Serves("a_local", "SELECT s FROM t_low WHERE b = 7"), Pinned("t_low_b_idx")),
    ),
    RedundancyCase(
        name="local_unique_twin_of_an_attached_key",
        setup=(
            *PARTITIONED,
            "ALTER TABLE t ADD PRIMARY KEY (b, a)",
            "CREATE UNIQUE INDEX idx_t_low_b_a ON t_low (b, a)",
        ),
        redundant=(Pair("idx_t_low_b_a", "t_low_pkey"),),
        proofs=(
            Serves("idx_t_low_b_a", "SELECT s FROM t_low WHERE b = 7 AND a = 7"),
            StillRefuses("idx_t_low_b_a", "INSERT INTO t_low VALUES (7, 7, 'x')"),
            Pinned("t_low_pkey"),
        ),
    ),
    RedundancyCase(
        name="attached_prefix_of_a_local_index",
        setup=(*PARTITIONED, "CREATE INDEX idx_t_b ON t (b)", "CREATE INDEX a_local ON t_low (b, a)"),
        proofs=(
            Pinned("t_low_b_idx"),
            Needs("idx_t_b", "SELECT s FROM t_high WHERE b = 27"),
            Needs("a_local", "SELECT b, a FROM t_low ORDER BY b, a"),
        ),
    ),
    RedundancyCase(
        name="local_unique_beside_an_attached_plain",
        setup=(*PARTITIONED, "CREATE INDEX idx_t_b ON t (b)", "CREATE UNIQUE INDEX a_local ON t_low (b)"),
        proofs=(
            Pinned("t_low_b_idx"),
            Needs("idx_t_b", "SELECT s FROM t_high WHERE b = 27"),
            Refuses("a_local", "INSERT INTO t VALUES (8, 7, 'x')"),
        ),
    ),
    RedundancyCase(
        name="local_twins_on_two_partitions",
        setup=(*PARTITIONED, "CREATE INDEX idx_t_low_b ON t_low (b)", "CREATE INDEX idx_t_high_b ON t_high (b)"),
        proofs=(
            Needs("idx_t_low_b", "SELECT s FROM t_low WHERE b = 7"),
            Needs("idx_t_high_b", "SELECT s FROM t_high WHERE b = 27"),
        ),
    ),
    RedundancyCase(
        name="partitioned_index_still_without_parts",
        setup=(*PARTITIONED, "CREATE INDEX idx_t_b_a ON ONLY t (b, a)", "CREATE INDEX idx_t_b ON t (b)"),
        proofs=(Broken("idx_t_b_a"), Needs("idx_t_b", "SELECT s FROM t WHERE b = 7")),
    ),
)

MATERIALISED = (
    RedundancyCase(
        name="unique_twins_on_a_materialised_view",
        setup=(*VIEW, "CREATE UNIQUE INDEX idx_v_id ON v (id)", "CREATE UNIQUE INDEX a_twin ON v (id)"),
        redundant=(Pair("a_twin", "idx_v_id"),),
        proofs=(
            Serves("a_twin", "SELECT s FROM v WHERE id = 107"),
            Allows("idx_v_id", REFRESH, WRONG_OBJECT_STATE),
        ),
    ),
    RedundancyCase(
        name="plain_twin_on_a_materialised_view",
        setup=(*VIEW, "CREATE INDEX idx_v_id ON v (id)", "CREATE UNIQUE INDEX zz ON v (id)"),
        redundant=(Pair("idx_v_id", "zz", "prefix"),),
        proofs=(Serves("idx_v_id", "SELECT s FROM v WHERE id = 107"), Allows("zz", REFRESH, WRONG_OBJECT_STATE)),
    ),
    RedundancyCase(
        name="partial_unique_refreshes_no_materialised_view",
        setup=(
            *VIEW,
            "CREATE UNIQUE INDEX idx_v_id ON v (id)",
            "CREATE UNIQUE INDEX idx_v_id_few ON v (id) WHERE a = 1",
        ),
        proofs=(
            Allows("idx_v_id", REFRESH, WRONG_OBJECT_STATE),
            Needs("idx_v_id_few", "SELECT id FROM v WHERE a = 1 ORDER BY id"),
        ),
    ),
)

UNUSABLE = (
    RedundancyCase(
        name="invalid_twin_covers_nothing",
        setup=(
            *T,
            "CREATE INDEX idx_t_a ON t (a)",
            "CREATE INDEX a_valid ON t (a)",
            SPOIL.format("indisvalid", "idx_t_a"),
        ),
        proofs=(Broken("idx_t_a"), Needs("a_valid", "SELECT s FROM t WHERE a = 7")),
    ),
    RedundancyCase(
        name="invalid_wider_covers_nothing",
        setup=(
            *T,
            "CREATE INDEX idx_t_a ON t (a)",
            "CREATE INDEX idx_t_a_b ON t (a, b)",
            SPOIL.format("indisvalid", "idx_t_a_b"),
        ),
        proofs=(Broken("idx_t_a_b"), Needs("idx_t_a", "SELECT s FROM t WHERE a = 7")),
    ),
    RedundancyCase(
        name="not_ready_wider_covers_nothing",
        setup=(
            *T,
            "CREATE INDEX idx_t_a ON t (a)",
            "CREATE INDEX idx_t_a_b ON t (a, b)",
            SPOIL.format("indisready = false, indisvalid", "idx_t_a_b"),
        ),
        proofs=(Broken("idx_t_a_b"), Needs("idx_t_a", "SELECT s FROM t WHERE a = 7")),
    ),
    RedundancyCase(
        name="invalid_unique_still_refuses",
        setup=(
            *T,
            "CREATE INDEX idx_t_b ON t (b)",
            "CREATE UNIQUE INDEX idx_t_b_once ON t (b)",
            SPOIL.format("indisvalid", "idx_t_b_once"),
        ),
        proofs=(
            Broken("idx_t_b_once"),
            Refuses("idx_t_b_once", "INSERT INTO t SELECT * FROM t WHERE b = 7"),
            Needs("idx_t_b", "SELECT s FROM t WHERE b = 7"),
        ),
    ),
)

CASES = (*PARTITIONS, *MATERIALISED, *UNUSABLE)
