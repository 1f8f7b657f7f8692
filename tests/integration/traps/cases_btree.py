"""Redundancy traps of B-tree keys: prefixes and directions."""

from tests.integration.traps.case import Cheaper, Needs, Pair, RedundancyCase, Serves

# a repeats (40 values), b and c are distinct, every 50th c is NULL.
T = (
    "CREATE TABLE t (a int, b int, c int, s text)",
    (
        "INSERT INTO t SELECT i % 40, i * 7919 % 2003, nullif(i % 50, 0) * 100 + i / 50, md5(i::text)"
        " FROM generate_series(1, 2000) i"
    ),
)
WIDE_T = (
    f"CREATE TABLE t ({', '.join(f'c{n} int' for n in range(1, 22))})",
    f"INSERT INTO t SELECT {', '.join(f'i * {n} % 1999' for n in range(1, 22))} FROM generate_series(1, 2000) i",
)

PREFIXES = (
    RedundancyCase(
        name="exact_twin",
        setup=(*T, "CREATE INDEX idx_t_a ON t (a)", "CREATE INDEX a_twin ON t (a)"),
        redundant=(Pair("a_twin", "idx_t_a"),),
        proofs=(
            Serves("a_twin", "SELECT a, s FROM t WHERE a = 7"),
            Serves("a_twin", "SELECT a FROM t WHERE a > 3 ORDER BY a DESC"),
        ),
    ),
    RedundancyCase(
        name="prefix",
        setup=(*T, "CREATE INDEX idx_t_a ON t (a)", "CREATE INDEX idx_t_a_b ON t (a, b)"),
        redundant=(Pair("idx_t_a", "idx_t_a_b", "prefix"),),
        proofs=(
            Serves("idx_t_a", "SELECT a, s FROM t WHERE a = 7"),
            Serves("idx_t_a", "SELECT a FROM t WHERE a IN (3, 5) ORDER BY a"),
        ),
    ),
    RedundancyCase(
        name="second_column_is_no_prefix",
        setup=(*T, "CREATE INDEX idx_t_b ON t (b)", "CREATE INDEX idx_t_a_b ON t (a, b)"),
        proofs=(
            Cheaper("idx_t_b", "SELECT s FROM t WHERE b = 5"),
            Needs("idx_t_a_b", "SELECT a, b FROM t ORDER BY a, b"),
        ),
    ),
    RedundancyCase(
        name="skip_scan_is_no_replacement",
        since=18,
        setup=(
            "CREATE TABLE t (kind int, b int, s text)",
            "INSERT INTO t SELECT i % 3, i, md5(i::text) FROM generate_series(1, 3000) i",
            "CREATE INDEX idx_t_b ON t (b)",
            "CREATE INDEX idx_t_kind_b ON t (kind, b)",
        ),
        proofs=(
            Cheaper("idx_t_b", "SELECT s FROM t WHERE b = 5"),
            Needs("idx_t_kind_b", "SELECT kind, b FROM t ORDER BY kind, b"),
        ),
    ),
    RedundancyCase(
        name="columns_swapped",
        setup=(*T, "CREATE INDEX idx_t_a_b ON t (a, b)", "CREATE INDEX idx_t_b_a ON t (b, a)"),
        proofs=(
            Needs("idx_t_a_b", "SELECT a, b FROM t ORDER BY a, b"),
            Needs("idx_t_b_a", "SELECT a, b FROM t ORDER BY b, a"),
        ),
    ),
    RedundancyCase(
        name="three_twins_keep_one",
        setup=(
            *T,
            "CREATE INDEX a_first ON t (a)",
            "CREATE INDEX a_second ON t (a)",
            "CREATE INDEX idx_t_a ON t (a)",
        ),
        redundant=(Pair("a_first", "idx_t_a"), Pair("a_second", "idx_t_a")),
        proofs=(
            Serves("a_first", "SELECT s FROM t WHERE a = 7"),
            Serves("a_second", "SELECT s FROM t WHERE a = 7"),
        ),
    ),
    RedundancyCase(
        name="chain_goes_to_the_longest",
        setup=(
            *T,
            "CREATE INDEX idx_t_a ON t (a)",
            "CREATE INDEX idx_t_a_b ON t (a, b)",
            "CREATE INDEX idx_t_a_b_c ON t (a, b, c)",
        ),
        redundant=(Pair("idx_t_a", "idx_t_a_b_c", "prefix"), Pair("idx_t_a_b", "idx_t_a_b_c", "prefix")),
        proofs=(
            Serves("idx_t_a", "SELECT s FROM t WHERE a = 7"),
            Serves("idx_t_a_b", "SELECT s FROM t WHERE a = 7 AND b = 5"),
            Serves("idx_t_a_b", "SELECT a, b FROM t ORDER BY a, b"),
        ),
    ),
    RedundancyCase(
        name="twins_under_a_longer_one",
        setup=(
            *T,
            "CREATE INDEX a_twin ON t (a)",
            "CREATE INDEX idx_t_a ON t (a)",
            "CREATE INDEX idx_t_a_b ON t (a, b)",
        ),
        redundant=(Pair("a_twin", "idx_t_a_b", "prefix"), Pair("idx_t_a", "idx_t_a_b", "prefix")),
        proofs=(
            Serves("a_twin", "SELECT s FROM t WHERE a = 7"),
            Serves("idx_t_a", "SELECT s FROM t WHERE a = 7"),
        ),
    ),
    RedundancyCase(
        name="column_one_is_not_column_eleven",
        setup=(*WIDE_T, "CREATE INDEX idx_t_c1 ON t (c1)", "CREATE INDEX idx_t_c11 ON t (c11, c2)"),
        proofs=(
            Needs("idx_t_c1", "SELECT c1 FROM t WHERE c1 = 5"),
            Needs("idx_t_c11", "SELECT c11 FROM t WHERE c11 = 5"),
        ),
    ),
    RedundancyCase(
        name="columns_one_two_are_not_one_twenty_one",
        setup=(*WIDE_T, "CREATE INDEX idx_t_c1_c2 ON t (c1, c2)", "CREATE INDEX idx_t_c1_c21 ON t (c1, c21)"),
        proofs=(
            Needs("idx_t_c1_c2", "SELECT c1, c2 FROM t ORDER BY c1, c2"),
            Needs("idx_t_c1_c21", "SELECT c1, c21 FROM t ORDER BY c1, c21"),
        ),
    ),
    RedundancyCase(
        name="other_table",
        setup=(*T, "CREATE TABLE u AS TABLE t", "CREATE INDEX idx_t_a ON t (a)", "CREATE INDEX idx_u_a ON u (a)"),
        proofs=(
            Needs("idx_t_a", "SELECT s FROM t WHERE a = 7"),
            Needs("idx_u_a", "SELECT s FROM u WHERE a = 7"),
        ),
    ),
    RedundancyCase(
        name="inheritance_child",
        setup=(
            *T,
            "CREATE TABLE child () INHERITS (t)",
            "INSERT INTO child SELECT * FROM ONLY t",
            "CREATE INDEX idx_t_a ON t (a)",
            "CREATE INDEX idx_child_a ON child (a)",
        ),
        proofs=(
            Needs("idx_t_a", "SELECT s FROM ONLY t WHERE a = 7"),
            Needs("idx_child_a", "SELECT s FROM child WHERE a = 7"),
        ),
    ),
)

DIRECTIONS = (
    RedundancyCase(
        name="one_column_descending",
        setup=(*T, "CREATE INDEX idx_t_a_b ON t (a, b)", "CREATE INDEX idx_t_a_b_desc ON t (a, b DESC)"),
        proofs=(
            Needs("idx_t_a_b", "SELECT a, b FROM t ORDER BY a, b"),
            Needs("idx_t_a_b_desc", "SELECT a, b FROM t ORDER BY a, b DESC"),
        ),
    ),
    RedundancyCase(
        name="mirror",
        setup=(*T, "CREATE INDEX idx_t_a_b ON t (a, b)", "CREATE INDEX a_mirror ON t (a DESC, b DESC)"),
        redundant=(Pair("a_mirror", "idx_t_a_b"),),
        proofs=(
            Serves("a_mirror", "SELECT a, b FROM t ORDER BY a DESC, b DESC LIMIT 30"),
            Serves("a_mirror", "SELECT a, b FROM t WHERE a = 7 ORDER BY b DESC"),
        ),
    ),
    RedundancyCase(
        name="mixed_mirror",
        setup=(*T, "CREATE INDEX idx_t_a_b ON t (a, b DESC)", "CREATE INDEX a_mirror ON t (a DESC, b)"),
        redundant=(Pair("a_mirror", "idx_t_a_b"),),
        proofs=(
            Serves("a_mirror", "SELECT a, b FROM t ORDER BY a DESC, b"),
            Serves("a_mirror", "SELECT a, b FROM t ORDER BY a, b DESC"),
        ),
    ),
    RedundancyCase(
        name="single_column_mirror",
        setup=(*T, "CREATE INDEX idx_t_c ON t (c)", "CREATE INDEX c_mirror ON t (c DESC)"),
        redundant=(Pair("c_mirror", "idx_t_c"),),
        proofs=(
            Serves("c_mirror", "SELECT c FROM t ORDER BY c DESC"),
            Serves("c_mirror", "SELECT c FROM t ORDER BY c DESC LIMIT 60"),
        ),
    ),
    RedundancyCase(
        name="nulls_first",
        setup=(*T, "CREATE INDEX idx_t_c ON t (c)", "CREATE INDEX idx_t_c_nulls ON t (c NULLS FIRST)"),
        proofs=(
            Needs("idx_t_c", "SELECT c FROM t ORDER BY c"),
            Needs("idx_t_c_nulls", "SELECT c FROM t ORDER BY c NULLS FIRST"),
        ),
    ),
    RedundancyCase(
        name="nulls_first_mirror",
        setup=(*T, "CREATE INDEX idx_t_c ON t (c NULLS FIRST)", "CREATE INDEX c_mirror ON t (c DESC NULLS LAST)"),
        redundant=(Pair("c_mirror", "idx_t_c"),),
        proofs=(
            Serves("c_mirror", "SELECT c FROM t ORDER BY c DESC NULLS LAST"),
            Serves("c_mirror", "SELECT c FROM t ORDER BY c NULLS FIRST"),
        ),
    ),
    RedundancyCase(
        name="nulls_first_on_a_not_null_column",
        setup=(
            *T,
            "ALTER TABLE t ALTER a SET NOT NULL",
            "CREATE INDEX idx_t_a ON t (a)",
            "CREATE INDEX idx_t_a_nulls ON t (a NULLS FIRST)",
        ),
        proofs=(
            Needs("idx_t_a", "SELECT a FROM t ORDER BY a"),
            Needs("idx_t_a_nulls", "SELECT a FROM t ORDER BY a NULLS FIRST"),
        ),
    ),
    RedundancyCase(
        name="descending_prefix",
        setup=(*T, "CREATE INDEX idx_t_a ON t (a DESC)", "CREATE INDEX idx_t_a_b ON t (a, b)"),
        redundant=(Pair("idx_t_a", "idx_t_a_b", "prefix"),),
        proofs=(Serves("idx_t_a", "SELECT a FROM t ORDER BY a DESC LIMIT 50"),),
    ),
    RedundancyCase(
        name="mirrored_prefix",
        setup=(*T, "CREATE INDEX idx_t_a_b ON t (a DESC, b DESC)", "CREATE INDEX idx_t_a_b_c ON t (a, b, c)"),
        redundant=(Pair("idx_t_a_b", "idx_t_a_b_c", "prefix"),),
        proofs=(Serves("idx_t_a_b", "SELECT a, b FROM t ORDER BY a DESC, b DESC"),),
    ),
    RedundancyCase(
        name="half_mirrored_prefix",
        setup=(*T, "CREATE INDEX idx_t_a_b ON t (a DESC, b)", "CREATE INDEX idx_t_a_b_c ON t (a, b, c)"),
        proofs=(
            Needs("idx_t_a_b", "SELECT a, b FROM t ORDER BY a DESC, b"),
            Needs("idx_t_a_b_c", "SELECT a, b FROM t ORDER BY a, b"),
        ),
    ),
)

CASES = (*PREFIXES, *DIRECTIONS)
