"""Redundancy traps of what an index holds: INCLUDE lists and expressions."""

from tests.integration.traps.case import Needs, Pair, RedundancyCase, Serves
from tests.integration.traps.cases_btree import T

DOCUMENTS = (
    "CREATE TABLE t (d jsonb, a int)",
    "INSERT INTO t SELECT jsonb_build_object('k', i, 'j', i * 7), i % 40 FROM generate_series(1, 2000) i",
)
SOME_HASH = "c4ca4238a0b923820dcc509a6f75849b"

INCLUDES = (
    RedundancyCase(
        name="key_of_a_covering_index",
        setup=(*T, "CREATE INDEX idx_t_a ON t (a)", "CREATE INDEX idx_t_a_cover ON t (a) INCLUDE (b)"),
        redundant=(Pair("idx_t_a", "idx_t_a_cover", "prefix"),),
        proofs=(
            Serves("idx_t_a", "SELECT s FROM t WHERE a = 7"),
            Serves("idx_t_a", "SELECT a FROM t ORDER BY a"),
        ),
    ),
    RedundancyCase(
        name="include_inside_a_longer_key",
        setup=(*T, "CREATE INDEX idx_t_a_cover ON t (a) INCLUDE (b)", "CREATE INDEX idx_t_a_b ON t (a, b)"),
        redundant=(Pair("idx_t_a_cover", "idx_t_a_b", "prefix"),),
        proofs=(Serves("idx_t_a_cover", "SELECT a, b FROM t WHERE a = 7"),),
    ),
    RedundancyCase(
        name="include_inside_key_and_include",
        setup=(
            *T,
            "CREATE INDEX idx_t_a_cover ON t (a) INCLUDE (b, c)",
            "CREATE INDEX idx_t_a_b_cover ON t (a, b) INCLUDE (c)",
        ),
        redundant=(Pair("idx_t_a_cover", "idx_t_a_b_cover", "prefix"),),
        proofs=(Serves("idx_t_a_cover", "SELECT a, b, c FROM t WHERE a = 7"),),
    ),
    RedundancyCase(
        name="include_outside_the_longer_key",
        setup=(*T, "CREATE INDEX idx_t_a_cover ON t (a) INCLUDE (c)", "CREATE INDEX idx_t_a_b ON t (a, b)"),
        proofs=(
            Needs("idx_t_a_cover", "SELECT a, c FROM t WHERE a = 7"),
            Needs("idx_t_a_b", "SELECT a, b FROM t WHERE a = 7 ORDER BY b"),
        ),
    ),
    RedundancyCase(
        name="includes_differ",
        setup=(
            *T,
            "CREATE INDEX idx_t_a_with_b ON t (a) INCLUDE (b)",
            "CREATE INDEX idx_t_a_with_c ON t (a) INCLUDE (c)",
        ),
        proofs=(
            Needs("idx_t_a_with_b", "SELECT a, b FROM t WHERE a = 7"),
            Needs("idx_t_a_with_c", "SELECT a, c FROM t WHERE a = 7"),
        ),
    ),
    RedundancyCase(
        name="include_in_another_order",
        setup=(
            *T,
            "CREATE INDEX idx_t_a ON t (a) INCLUDE (b, c)",
            "CREATE INDEX a_turned ON t (a) INCLUDE (c, b)",
        ),
        redundant=(Pair("a_turned", "idx_t_a"),),
        proofs=(Serves("a_turned", "SELECT a, b, c FROM t WHERE a = 7"),),
    ),
    RedundancyCase(
        name="smaller_include",
        setup=(
            *T,
            "CREATE INDEX idx_t_a_few ON t (a) INCLUDE (c)",
            "CREATE INDEX idx_t_a_many ON t (a) INCLUDE (b, c)",
        ),
        redundant=(Pair("idx_t_a_few", "idx_t_a_many", "prefix"),),
        proofs=(Serves("idx_t_a_few", "SELECT a, c FROM t WHERE a = 7"),),
    ),
    RedundancyCase(
        name="include_is_no_key",
        setup=(*T, "CREATE INDEX idx_t_a_b ON t (a, b)", "CREATE INDEX idx_t_a_cover ON t (a) INCLUDE (b, c)"),
        proofs=(
            Needs("idx_t_a_b", "SELECT a, b FROM t ORDER BY a, b"),
            Needs("idx_t_a_cover", "SELECT a, b, c FROM t WHERE a = 7"),
        ),
    ),
    RedundancyCase(
        name="expression_with_include",
        setup=(
            *T,
            "CREATE INDEX idx_t_lower ON t (lower(s))",
            "CREATE INDEX idx_t_lower_cover ON t (lower(s)) INCLUDE (s, a)",
        ),
        redundant=(Pair("idx_t_lower", "idx_t_lower_cover", "prefix"),),
        proofs=(Serves("idx_t_lower", f"SELECT a FROM t WHERE lower(s) = '{SOME_HASH}'"),),
    ),
)

EXPRESSIONS = (
    RedundancyCase(
        name="expression_twin",
        setup=(*T, "CREATE INDEX idx_t_lower ON t (lower(s))", "CREATE INDEX a_twin ON t (LOWER ( s ))"),
        redundant=(Pair("a_twin", "idx_t_lower"),),
        proofs=(
            Serves("a_twin", f"SELECT a FROM t WHERE lower(s) = '{SOME_HASH}'"),
            Serves("a_twin", "SELECT lower(s) FROM t ORDER BY lower(s)"),
        ),
    ),
    RedundancyCase(
        name="expression_prefix",
        setup=(*T, "CREATE INDEX idx_t_lower ON t (lower(s))", "CREATE INDEX idx_t_lower_a ON t (lower(s), a)"),
        redundant=(Pair("idx_t_lower", "idx_t_lower_a", "prefix"),),
        proofs=(Serves("idx_t_lower", f"SELECT a FROM t WHERE lower(s) = '{SOME_HASH}'"),),
    ),
    RedundancyCase(
        name="expression_at_another_position",
        setup=(*T, "CREATE INDEX idx_t_lower_a ON t (lower(s), a)", "CREATE INDEX idx_t_a_lower ON t (a, lower(s))"),
        proofs=(
            Needs("idx_t_lower_a", "SELECT lower(s), a FROM t ORDER BY lower(s), a"),
            Needs("idx_t_a_lower", "SELECT a, lower(s) FROM t ORDER BY a, lower(s)"),
        ),
    ),
    RedundancyCase(
        name="expressions_differ",
        setup=(*T, "CREATE INDEX idx_t_lower ON t (lower(s))", "CREATE INDEX idx_t_upper ON t (upper(s))"),
        proofs=(
            Needs("idx_t_lower", f"SELECT a FROM t WHERE lower(s) = '{SOME_HASH}'"),
            Needs("idx_t_upper", f"SELECT a FROM t WHERE upper(s) = '{SOME_HASH.upper()}'"),
        ),
    ),
    RedundancyCase(
        name="functions_of_one_name",
        setup=(
            *T,
            (
                "CREATE FUNCTION functions_of_one_name.lower(text) RETURNS text IMMUTABLE LANGUAGE sql"
                " AS $$ SELECT reverse($1) $$"
            ),
            "CREATE INDEX idx_t_lower ON t (lower(s))",
            "CREATE INDEX idx_t_own_lower ON t (functions_of_one_name.lower(s))",
        ),
        proofs=(
            Needs("idx_t_lower", f"SELECT a FROM t WHERE lower(s) = '{SOME_HASH}'"),
            Needs("idx_t_own_lower", f"SELECT a FROM t WHERE functions_of_one_name.lower(s) = '{SOME_HASH[::-1]}'"),
        ),
    ),
    RedundancyCase(
        name="other_expression_is_no_prefix",
        setup=(*T, "CREATE INDEX idx_t_lower ON t (lower(s))", "CREATE INDEX idx_t_upper_a ON t (upper(s), a)"),
        proofs=(
            Needs("idx_t_lower", f"SELECT a FROM t WHERE lower(s) = '{SOME_HASH}'"),
            Needs("idx_t_upper_a", "SELECT upper(s), a FROM t ORDER BY upper(s), a"),
        ),
    ),
    RedundancyCase(
        name="expression_is_not_its_column",
        setup=(*T, "CREATE INDEX idx_t_s ON t (s)", "CREATE INDEX idx_t_lower_a ON t (lower(s), a)"),
        proofs=(
            Needs("idx_t_s", f"SELECT a FROM t WHERE s = '{SOME_HASH}'"),
            Needs("idx_t_lower_a", f"SELECT a FROM t WHERE lower(s) = '{SOME_HASH}'"),
        ),
    ),
    RedundancyCase(
        name="two_expressions_swapped",
        setup=(
            *T,
            "CREATE INDEX idx_t_sum_diff ON t ((a + b), (a - b))",
            "CREATE INDEX idx_t_diff_sum ON t ((a - b), (a + b))",
        ),
        proofs=(
            Needs("idx_t_sum_diff", "SELECT a + b FROM t ORDER BY a + b, a - b"),
            Needs("idx_t_diff_sum", "SELECT a - b FROM t ORDER BY a - b, a + b"),
        ),
    ),
    RedundancyCase(
        name="column_in_needless_parentheses",
        setup=(*T, "CREATE INDEX idx_t_a ON t (a)", "CREATE INDEX a_parenthesised ON t ((((a))))"),
        redundant=(Pair("a_parenthesised", "idx_t_a"),),
        proofs=(Serves("a_parenthesised", "SELECT s FROM t WHERE a = 7"),),
    ),
    RedundancyCase(
        name="json_field_written_twice",
        setup=(
            *DOCUMENTS,
            "CREATE INDEX idx_t_k ON t ((d->>'k'))",
            "CREATE INDEX a_twin ON t ((d ->> 'k'::text))",
        ),
        redundant=(Pair("a_twin", "idx_t_k"),),
        proofs=(Serves("a_twin", "SELECT a FROM t WHERE d->>'k' = '77'"),),
    ),
    RedundancyCase(
        name="json_fields_differ",
        setup=(*DOCUMENTS, "CREATE INDEX idx_t_k ON t ((d->>'k'))", "CREATE INDEX idx_t_j_a ON t ((d->>'j'), a)"),
        proofs=(
            Needs("idx_t_k", "SELECT a FROM t WHERE d->>'k' = '77'"),
            Needs("idx_t_j_a", "SELECT a FROM t WHERE d->>'j' = '77'"),
        ),
    ),
    RedundancyCase(
        name="json_text_is_not_json_number",
        setup=(
            *DOCUMENTS,
            "CREATE INDEX idx_t_k_text ON t ((d->>'k'))",
            "CREATE INDEX idx_t_k_number ON t (((d->>'k')::int))",
        ),
        proofs=(
            Needs("idx_t_k_text", "SELECT a FROM t WHERE d->>'k' = '77'"),
            Needs("idx_t_k_number", "SELECT a FROM t WHERE (d->>'k')::int > 1990"),
        ),
    ),
    RedundancyCase(
        name="generated_column_is_not_its_expression",
        setup=(
            "CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * 2) STORED)",
            "INSERT INTO t SELECT i FROM generate_series(1, 2000) i",
            "CREATE INDEX idx_t_g ON t (g)",
            "CREATE INDEX idx_t_double ON t ((a * 2))",
        ),
        proofs=(
            Needs("idx_t_g", "SELECT a FROM t WHERE g = 84"),
            Needs("idx_t_double", "SELECT a FROM t WHERE a * 2 = 84"),
        ),
    ),
    RedundancyCase(
        name="expression_of_a_virtual_column",
        since=18,
        setup=(
            "CREATE TABLE t (a int, s text, g int GENERATED ALWAYS AS (a * 2) VIRTUAL)",
            "INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 2000) i",
            "CREATE INDEX idx_t_double ON t ((a * 2))",
            "CREATE INDEX a_twin ON t ((a*2))",
        ),
        redundant=(Pair("a_twin", "idx_t_double"),),
        proofs=(Serves("a_twin", "SELECT s FROM t WHERE g = 84"),),
    ),
)

CASES = (*INCLUDES, *EXPRESSIONS)
