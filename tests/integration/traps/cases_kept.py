"""Indexes without a scan that must stay all the same, each with what is lost when it goes."""

from tests.integration.traps.case import (
    EXCLUSION_VIOLATION,
    UNDEFINED_OBJECT,
    WRONG_OBJECT_STATE,
    Allows,
    Broken,
    Cheaper,
    Estimates,
    KeptCase,
    Needs,
    Pinned,
    Refuses,
    RemovesJoin,
    Trap,
)
from tests.integration.traps.cases_foreign_keys import CHILD, TENANT_CHILD
from tests.integration.traps.cases_structure import PARTITIONED, REFRESH, SPOIL, VIEW
from tests.integration.traps.cases_unique import SAME_ID, U

ONE_PARENT = "SELECT s FROM child WHERE parent_id = 250"
SKEWED = (
    "CREATE TABLE t (s text)",
    "INSERT INTO t SELECT CASE WHEN i % 10 = 0 THEN 'Other ' || i ELSE 'Same' END FROM generate_series(1, 5000) i",
)

CONSTRAINTS = (
    KeptCase(
        name="kept_primary_key",
        setup=(*U, "ALTER TABLE t ADD PRIMARY KEY (id)"),
        index="t_pkey",
        reasons=("primary_key",),
        proof=Pinned("t_pkey"),
    ),
    KeptCase(
        name="kept_unique_constraint",
        setup=(*U, "ALTER TABLE t ADD CONSTRAINT t_id_key UNIQUE (id)"),
        index="t_id_key",
        reasons=("unique_constraint",),
        proof=Pinned("t_id_key"),
    ),
    KeptCase(
        name="kept_deferrable_constraint",
        setup=(*U, "ALTER TABLE t ADD CONSTRAINT t_id_key UNIQUE (id) DEFERRABLE INITIALLY DEFERRED"),
        index="t_id_key",
        reasons=("unique_constraint",),
        proof=Refuses("t_id_key", SAME_ID),
    ),
    KeptCase(
        name="kept_exclusion_constraint",
        setup=(
            "CREATE TABLE t (stay daterange)",
            "INSERT INTO t VALUES ('[2026-01-01,2026-01-05)')",
            "ALTER TABLE t ADD CONSTRAINT t_stay_excl EXCLUDE USING gist (stay WITH &&)",
        ),
        index="t_stay_excl",
        reasons=("exclusion_constraint",),
        proof=Refuses("t_stay_excl", "INSERT INTO t VALUES ('[2026-01-04,2026-01-06)')", EXCLUSION_VIOLATION),
    ),
    KeptCase(
        name="kept_temporal_key",
        since=18,
        extension="btree_gist",
        setup=(
            "CREATE TABLE t (room int, stay daterange, PRIMARY KEY (room, stay WITHOUT OVERLAPS))",
            "INSERT INTO t VALUES (1, '[2026-01-01,2026-01-05)')",
        ),
        index="t_pkey",
        reasons=("primary_key", "exclusion_constraint"),
        proof=Refuses("t_pkey", "INSERT INTO t VALUES (1, '[2026-01-04,2026-01-06)')", EXCLUSION_VIOLATION),
    ),
)

UNIQUENESS = (
    KeptCase(
        name="kept_unique_index",
        setup=(*U, "CREATE UNIQUE INDEX idx_t_id ON t (id)"),
        index="idx_t_id",
        reasons=("unique_index",),
        proof=Refuses("idx_t_id", SAME_ID),
    ),
    KeptCase(
        name="kept_partial_unique_index",
        setup=(*U, "CREATE UNIQUE INDEX idx_t_id ON t (id) WHERE a = 7"),
        index="idx_t_id",
        reasons=("unique_index",),
        proof=Refuses("idx_t_id", "INSERT INTO t SELECT * FROM t WHERE id = 7"),
    ),
    KeptCase(
        name="kept_unique_expression_index",
        setup=(*U, "CREATE UNIQUE INDEX idx_t_lower ON t (lower(s))"),
        index="idx_t_lower",
        reasons=("unique_index", "expression_statistics"),
        proof=Refuses("idx_t_lower", "INSERT INTO t SELECT id + 5000, a, c, upper(s) FROM t WHERE id = 7"),
    ),
    KeptCase(
        name="kept_unique_index_that_removes_joins",
        setup=(*U, "CREATE TABLE guest AS TABLE t", "CREATE UNIQUE INDEX idx_guest_id ON guest (id)"),
        index="idx_guest_id",
        reasons=("unique_index",),
        proof=RemovesJoin("idx_guest_id", "SELECT t.s FROM t LEFT JOIN guest ON guest.id = t.id"),
    ),
    KeptCase(
        name="kept_unique_index_of_a_materialised_view",
        setup=(*VIEW, "CREATE UNIQUE INDEX idx_v_id ON v (id)"),
        index="idx_v_id",
        reasons=("unique_index",),
        proof=Allows("idx_v_id", REFRESH, WRONG_OBJECT_STATE),
    ),
    KeptCase(
        name="kept_unique_index_of_a_partitioned_table",
        setup=(*PARTITIONED, "CREATE UNIQUE INDEX idx_t_b_a ON t (b, a)"),
        index="idx_t_b_a",
        reasons=("unique_index",),
        proof=Refuses("idx_t_b_a", "INSERT INTO t VALUES (7, 7, 'x')"),
    ),
)

DEPENDENTS = (
    KeptCase(
        name="kept_replica_identity",
        setup=(
            *U,
            "CREATE UNIQUE INDEX idx_t_id ON t (id)",
            "ALTER TABLE t REPLICA IDENTITY USING INDEX idx_t_id",
            "CREATE PUBLICATION trap_kept FOR TABLE t",
        ),
        index="idx_t_id",
        reasons=("unique_index", "replica_identity"),
        proof=Allows("idx_t_id", "DELETE FROM t WHERE id = 7", WRONG_OBJECT_STATE),
    ),
    KeptCase(
        name="kept_clustered",
        setup=(*U, "CREATE INDEX idx_t_a ON t (a)", "CLUSTER t USING idx_t_a"),
        index="idx_t_a",
        reasons=("clustered",),
        proof=Allows("idx_t_a", "CLUSTER t", UNDEFINED_OBJECT),
    ),
    KeptCase(
        name="kept_index_that_a_foreign_key_references",
        setup=(
            *U,
            "CREATE UNIQUE INDEX idx_t_id ON t (id)",
            "CREATE TABLE child (t_id int REFERENCES t (id))",
        ),
        index="idx_t_id",
        reasons=("unique_index",),
        proof=Pinned("idx_t_id"),
    ),
    KeptCase(
        name="kept_foreign_key_support",
        setup=(*CHILD, "CREATE INDEX idx_child_parent_id ON child (parent_id)"),
        index="idx_child_parent_id",
        reasons=("foreign_key_support",),
        proof=Cheaper("idx_child_parent_id", ONE_PARENT, 10),
    ),
    KeptCase(
        name="kept_foreign_key_support_by_hash",
        setup=(*CHILD, "CREATE INDEX idx_child_parent_id ON child USING hash (parent_id)"),
        index="idx_child_parent_id",
        reasons=("foreign_key_support",),
        proof=Cheaper("idx_child_parent_id", ONE_PARENT, 10),
    ),
    KeptCase(
        name="kept_foreign_key_support_where_not_null",
        setup=(*CHILD, "CREATE INDEX idx_child_parent_id ON child (parent_id) WHERE parent_id IS NOT NULL"),
        index="idx_child_parent_id",
        reasons=("foreign_key_support",),
        proof=Cheaper("idx_child_parent_id", ONE_PARENT, 10),
    ),
    KeptCase(
        name="kept_foreign_key_support_in_another_order",
        setup=(*TENANT_CHILD, "CREATE INDEX idx_child_pair ON child (parent_id, tenant)"),
        index="idx_child_pair",
        reasons=("foreign_key_support",),
        proof=Cheaper("idx_child_pair", "SELECT s FROM child WHERE tenant = 2 AND parent_id = 250", 10),
    ),
    KeptCase(
        name="kept_foreign_key_support_of_a_partition",
        setup=(
            *PARTITIONED,
            "CREATE TABLE parent (id int PRIMARY KEY)",
            "INSERT INTO parent SELECT generate_series(1, 2000)",
            "ALTER TABLE t_low ADD CONSTRAINT t_low_fk FOREIGN KEY (b) REFERENCES parent",
            "CREATE INDEX idx_t_b ON t (b)",
        ),
        index="idx_t_b",
        reasons=("foreign_key_support",),
        proof=Needs("idx_t_b", "SELECT s FROM t_low WHERE b = 7"),
    ),
)

STRUCTURE = (
    KeptCase(
        name="kept_expression_statistics",
        setup=(*SKEWED, "CREATE INDEX idx_t_lower ON t (lower(s))"),
        index="idx_t_lower",
        reasons=("expression_statistics",),
        proof=Estimates("idx_t_lower", "SELECT s FROM t WHERE lower(s) = 'same'"),
    ),
    KeptCase(
        name="kept_expression_statistics_of_a_second_column",
        setup=(*SKEWED, "CREATE INDEX idx_t_s_lower ON t (s, lower(s))"),
        index="idx_t_s_lower",
        reasons=("expression_statistics",),
        proof=Estimates("idx_t_s_lower", "SELECT s FROM t WHERE lower(s) = 'same'"),
    ),
    KeptCase(
        name="kept_partition_of_an_index",
        setup=(*PARTITIONED, "CREATE INDEX idx_t_b ON t (b)"),
        index="t_low_b_idx",
        reasons=None,
        proof=Pinned("t_low_b_idx"),
    ),
    KeptCase(
        name="kept_partitioned_index_with_a_used_part",
        setup=(*PARTITIONED, "CREATE INDEX idx_t_b ON t (b)"),
        uses=("SELECT s FROM t_high WHERE b = 27",),
        index="idx_t_b",
        reasons=None,
        proof=Needs("idx_t_b", "SELECT s FROM t_high WHERE b = 27"),
    ),
    KeptCase(
        name="kept_unused_part_of_a_used_index",
        setup=(*PARTITIONED, "CREATE INDEX idx_t_b ON t (b)"),
        uses=("SELECT s FROM t_high WHERE b = 27",),
        index="t_low_b_idx",
        reasons=None,
        proof=Pinned("t_low_b_idx"),
    ),
    KeptCase(
        name="kept_invalid",
        setup=(*U, "CREATE INDEX idx_t_a ON t (a)", SPOIL.format("indisvalid", "idx_t_a")),
        index="idx_t_a",
        reasons=("invalid",),
        proof=Broken("idx_t_a"),
    ),
    KeptCase(
        name="kept_partitioned_shell",
        setup=(*PARTITIONED, "CREATE INDEX idx_t_b ON ONLY t (b)"),
        index="idx_t_b",
        reasons=("invalid",),
        proof=Broken("idx_t_b"),
    ),
)

# Nothing keeps these: without them every test above would pass on a tool that never says droppable.
DROPPABLE = (
    Trap(name="free_plain", setup=(*U, "CREATE INDEX idx_t_a ON t (a)")),
    Trap(name="free_partial", setup=(*U, "CREATE INDEX idx_t_a ON t (a) WHERE c > 5")),
    Trap(
        name="free_beside_a_key", setup=(*U, "ALTER TABLE t ADD PRIMARY KEY (id)", "CREATE INDEX idx_t_a ON t (a, c)")
    ),
    Trap(name="free_partitioned", setup=(*PARTITIONED, "CREATE INDEX idx_t_a ON t (b)")),
    Trap(name="free_brin", setup=(*U, "CREATE INDEX idx_t_a ON t USING brin (id)")),
    Trap(
        name="free_second_column_of_a_foreign_key", setup=(*CHILD, "CREATE INDEX idx_t_a ON child (other, parent_id)")
    ),
)

CASES = (*CONSTRAINTS, *UNIQUENESS, *DEPENDENTS, *STRUCTURE)
