"""Redundancy traps of partial indexes: equal, different, narrower and always-true predicates."""

from tests.integration.traps.case import Needs, Pair, RedundancyCase, Refuses, Serves, Smaller, StillRefuses

# One row in ten is active, a and id are NOT NULL, c is NULL in every second row.
P = (
    "CREATE TABLE t (id int NOT NULL, a int NOT NULL, b int, c int, state varchar(10), s text)",
    (
        "INSERT INTO t SELECT i, i % 40, i * 7919 % 2003, CASE WHEN i % 2 = 0 THEN i END,"
        " CASE WHEN i % 10 = 0 THEN 'active' ELSE 'closed' END, md5(i::text) FROM generate_series(1, 2000) i"
    ),
)
ACTIVE = "state = 'active'"

EQUAL = (
    RedundancyCase(
        name="partial_twins",
        setup=(
            *P,
            f"CREATE INDEX idx_t_b ON t (b) WHERE {ACTIVE}",
            "CREATE INDEX a_twin ON t (b) WHERE (state)::text = 'active'::text",
        ),
        redundant=(Pair("a_twin", "idx_t_b"),),
        proofs=(Serves("a_twin", f"SELECT b FROM t WHERE {ACTIVE} ORDER BY b"),),
    ),
    RedundancyCase(
        name="predicate_in_parentheses",
        setup=(
            *P,
            "CREATE INDEX idx_t_b ON t (b) WHERE a > 30",
            "CREATE INDEX a_twin ON t (b) WHERE (((a) > (30)))",
        ),
        redundant=(Pair("a_twin", "idx_t_b"),),
        proofs=(Serves("a_twin", "SELECT b FROM t WHERE a > 30 ORDER BY b"),),
    ),
    RedundancyCase(
        name="in_list_is_any_of_an_array",
        setup=(
            *P,
            "CREATE INDEX idx_t_b ON t (b) WHERE a IN (1, 2)",
            "CREATE INDEX a_twin ON t (b) WHERE a = ANY (ARRAY[1, 2])",
        ),
        redundant=(Pair("a_twin", "idx_t_b"),),
        proofs=(Serves("a_twin", "SELECT b FROM t WHERE a IN (1, 2) ORDER BY b"),),
    ),
    RedundancyCase(
        name="between_is_two_comparisons",
        setup=(
            *P,
            "CREATE INDEX idx_t_b ON t (b) WHERE a BETWEEN 1 AND 3",
            "CREATE INDEX a_twin ON t (b) WHERE a >= 1 AND a <= 3",
        ),
        redundant=(Pair("a_twin", "idx_t_b"),),
        proofs=(Serves("a_twin", "SELECT b FROM t WHERE a BETWEEN 1 AND 3 ORDER BY b"),),
    ),
    RedundancyCase(
        name="partial_prefix",
        setup=(
            *P,
            f"CREATE INDEX idx_t_a ON t (a) WHERE {ACTIVE}",
            f"CREATE INDEX idx_t_a_b ON t (a, b) WHERE {ACTIVE}",
        ),
        redundant=(Pair("idx_t_a", "idx_t_a_b", "prefix"),),
        proofs=(Serves("idx_t_a", f"SELECT s FROM t WHERE a = 10 AND {ACTIVE}"),),
    ),
    RedundancyCase(
        name="partial_mirror",
        setup=(
            *P,
            f"CREATE INDEX idx_t_b ON t (b) WHERE {ACTIVE}",
            f"CREATE INDEX b_mirror ON t (b DESC) WHERE {ACTIVE}",
        ),
        redundant=(Pair("b_mirror", "idx_t_b"),),
        proofs=(Serves("b_mirror", f"SELECT b FROM t WHERE {ACTIVE} ORDER BY b DESC"),),
    ),
    RedundancyCase(
        name="partial_unique_twins",
        setup=(
            *P,
            f"CREATE UNIQUE INDEX idx_t_id ON t (id) WHERE {ACTIVE}",
            f"CREATE UNIQUE INDEX a_twin ON t (id) WHERE {ACTIVE}",
        ),
        redundant=(Pair("a_twin", "idx_t_id"),),
        proofs=(
            Serves("a_twin", f"SELECT s FROM t WHERE {ACTIVE} AND id = 70"),
            StillRefuses("a_twin", "INSERT INTO t SELECT * FROM t WHERE id = 70"),
        ),
    ),
    RedundancyCase(
        name="plain_twin_of_a_partial_unique",
        setup=(
            *P,
            f"CREATE INDEX idx_t_id ON t (id) WHERE {ACTIVE}",
            f"CREATE UNIQUE INDEX zz ON t (id) WHERE {ACTIVE}",
        ),
        redundant=(Pair("idx_t_id", "zz", "prefix"),),
        proofs=(
            Serves("idx_t_id", f"SELECT s FROM t WHERE {ACTIVE} AND id = 70"),
            Refuses("zz", "INSERT INTO t SELECT * FROM t WHERE id = 70"),
        ),
    ),
    RedundancyCase(
        name="predicate with a literal that looks like SQL",
        setup=(
            *P,
            "CREATE INDEX idx_t_b ON t (b) WHERE s <> 'x) INCLUDE (y'' WHERE z'",
            "CREATE INDEX a_twin ON t (b) WHERE s <> 'x) INCLUDE (y'' WHERE z'",
        ),
        redundant=(Pair("a_twin", "idx_t_b"),),
        proofs=(Serves("a_twin", "SELECT b FROM t WHERE s <> 'x) INCLUDE (y'' WHERE z' ORDER BY b"),),
    ),
)

DIFFERENT = (
    RedundancyCase(
        name="predicates_differ",
        setup=(
            *P,
            f"CREATE INDEX idx_t_b_active ON t (b) WHERE {ACTIVE}",
            "CREATE INDEX idx_t_b_closed ON t (b) WHERE state = 'closed'",
        ),
        proofs=(
            Needs("idx_t_b_active", f"SELECT b FROM t WHERE {ACTIVE} ORDER BY b"),
            Needs("idx_t_b_closed", "SELECT b FROM t WHERE state = 'closed' ORDER BY b"),
        ),
    ),
    RedundancyCase(
        name="predicates_on_other_columns",
        setup=(
            *P,
            "CREATE INDEX idx_t_b_few_a ON t (b) WHERE a = 1",
            "CREATE INDEX idx_t_b_few_c ON t (b) WHERE c = 1",
        ),
        proofs=(
            Needs("idx_t_b_few_a", "SELECT b FROM t WHERE a = 1 ORDER BY b"),
            Needs("idx_t_b_few_c", "SELECT b FROM t WHERE c = 1 ORDER BY b"),
        ),
    ),
    RedundancyCase(
        name="partial_beside_full",
        setup=(*P, "CREATE INDEX idx_t_b ON t (b)", f"CREATE INDEX idx_t_b_active ON t (b) WHERE {ACTIVE}"),
        proofs=(
            Needs("idx_t_b", "SELECT s FROM t WHERE b = 7"),
            Needs("idx_t_b_active", f"SELECT b FROM t WHERE {ACTIVE} ORDER BY b"),
        ),
    ),
    RedundancyCase(
        name="full_prefix_of_a_partial",
        setup=(*P, "CREATE INDEX idx_t_a ON t (a)", f"CREATE INDEX idx_t_a_b ON t (a, b) WHERE {ACTIVE}"),
        proofs=(
            Needs("idx_t_a", "SELECT s FROM t WHERE a = 7"),
            Needs("idx_t_a_b", f"SELECT a, b FROM t WHERE {ACTIVE} ORDER BY a, b"),
        ),
    ),
    RedundancyCase(
        name="partial_prefix_of_a_full",
        setup=(*P, f"CREATE INDEX idx_t_a ON t (a) WHERE {ACTIVE}", "CREATE INDEX idx_t_a_b ON t (a, b)"),
        proofs=(
            Needs("idx_t_a", f"SELECT a FROM t WHERE {ACTIVE} ORDER BY a"),
            Needs("idx_t_a_b", "SELECT s FROM t WHERE a = 7 AND b > 100"),
        ),
    ),
    RedundancyCase(
        name="narrower_predicate",
        setup=(
            *P,
            "CREATE INDEX idx_t_b_many ON t (b) WHERE a > 5",
            "CREATE INDEX idx_t_b_few ON t (b) WHERE a > 35",
        ),
        proofs=(
            Needs("idx_t_b_many", "SELECT b FROM t WHERE a > 5 ORDER BY b"),
            Needs("idx_t_b_few", "SELECT b FROM t WHERE a > 35 ORDER BY b"),
        ),
    ),
    RedundancyCase(
        name="one_condition_more",
        setup=(
            *P,
            f"CREATE INDEX idx_t_b_one ON t (b) WHERE {ACTIVE}",
            f"CREATE INDEX idx_t_b_two ON t (b) WHERE {ACTIVE} AND a = 10",
        ),
        proofs=(
            Needs("idx_t_b_one", f"SELECT b FROM t WHERE {ACTIVE} ORDER BY b"),
            Needs("idx_t_b_two", f"SELECT b FROM t WHERE {ACTIVE} AND a = 10 ORDER BY b"),
        ),
    ),
    RedundancyCase(
        name="partial_unique_beside_a_full_plain",
        setup=(*P, "CREATE INDEX idx_t_id ON t (id)", f"CREATE UNIQUE INDEX idx_t_id_active ON t (id) WHERE {ACTIVE}"),
        proofs=(
            Needs("idx_t_id", "SELECT s FROM t WHERE id = 7"),
            Refuses("idx_t_id_active", "INSERT INTO t SELECT * FROM t WHERE id = 70"),
        ),
    ),
    RedundancyCase(
        name="full_unique_beside_a_partial_unique",
        setup=(
            *P,
            "CREATE UNIQUE INDEX idx_t_id ON t (id)",
            f"CREATE UNIQUE INDEX idx_t_id_active ON t (id) WHERE {ACTIVE}",
        ),
        proofs=(
            Refuses("idx_t_id", "INSERT INTO t SELECT * FROM t WHERE id = 7"),
            Needs("idx_t_id_active", f"SELECT id FROM t WHERE {ACTIVE} ORDER BY id"),
        ),
    ),
    RedundancyCase(
        name="not_null_predicate_on_a_nullable_column",
        setup=(*P, "CREATE INDEX idx_t_c ON t (c)", "CREATE INDEX idx_t_c_there ON t (c) WHERE c IS NOT NULL"),
        proofs=(
            Needs("idx_t_c", "SELECT a FROM t WHERE c IS NULL"),
            Smaller("idx_t_c_there", "idx_t_c", 1.2),
        ),
    ),
)

ALWAYS_TRUE = (
    RedundancyCase(
        name="not_null_predicate_on_a_not_null_column",
        setup=(*P, "CREATE INDEX idx_t_a ON t (a)", "CREATE INDEX idx_t_a_there ON t (a) WHERE a IS NOT NULL"),
        redundant=(Pair("idx_t_a_there", "idx_t_a", "prefix"),),
        proofs=(
            Serves("idx_t_a_there", "SELECT s FROM t WHERE a = 7"),
            Serves("idx_t_a_there", "SELECT a FROM t WHERE a > 3 ORDER BY a"),
        ),
    ),
    RedundancyCase(
        name="two_not_null_predicates_on_not_null_columns",
        setup=(
            *P,
            "CREATE INDEX idx_t_a ON t (a)",
            "CREATE INDEX idx_t_a_there ON t (a) WHERE a IS NOT NULL AND id IS NOT NULL",
        ),
        redundant=(Pair("idx_t_a_there", "idx_t_a", "prefix"),),
        proofs=(Serves("idx_t_a_there", "SELECT s FROM t WHERE a = 7 AND id > 0"),),
    ),
    RedundancyCase(
        name="always_true_unique_beside_a_full_unique",
        setup=(
            *P,
            "CREATE UNIQUE INDEX idx_t_id ON t (id)",
            "CREATE UNIQUE INDEX idx_t_id_there ON t (id) WHERE id IS NOT NULL",
        ),
        redundant=(Pair("idx_t_id_there", "idx_t_id", "prefix"),),
        proofs=(
            Serves("idx_t_id_there", "SELECT s FROM t WHERE id = 70"),
            StillRefuses("idx_t_id_there", "INSERT INTO t SELECT * FROM t WHERE id = 70"),
        ),
    ),
    RedundancyCase(
        name="full_index_beside_an_always_true_one",
        setup=(
            *P,
            "CREATE INDEX idx_t_a ON t (a)",
            "CREATE INDEX idx_t_a_b ON t (a, b) WHERE a IS NOT NULL",
        ),
        proofs=(
            Needs("idx_t_a", "SELECT a FROM t ORDER BY a"),
            Needs("idx_t_a_b", "SELECT a, b FROM t WHERE a = 7 ORDER BY b"),
        ),
    ),
)

CASES = (*EQUAL, *DIFFERENT, *ALWAYS_TRUE)
