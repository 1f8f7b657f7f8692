"""Redundancy traps of operator classes, collations and storage options."""

from tests.integration.traps.case import Needs, Pair, RedundancyCase, Serves
from tests.integration.traps.cases_btree import T

STORAGE = (
    RedundancyCase(
        name="fill_factor_only",
        setup=(*T, "CREATE INDEX idx_t_a ON t (a)", "CREATE INDEX a_loose ON t (a) WITH (fillfactor = 60)"),
        redundant=(Pair("a_loose", "idx_t_a"),),
        proofs=(Serves("a_loose", "SELECT s FROM t WHERE a = 7"),),
    ),
    RedundancyCase(
        name="deduplication_only",
        setup=(
            *T,
            "CREATE INDEX idx_t_a ON t (a)",
            "CREATE INDEX a_plain ON t (a) WITH (deduplicate_items = off)",
        ),
        redundant=(Pair("a_plain", "idx_t_a"),),
        proofs=(Serves("a_plain", "SELECT s FROM t WHERE a = 7"),),
    ),
    RedundancyCase(
        name="tablespace_only",
        setup=(
            *T,
            "SET allow_in_place_tablespaces = on",
            "CREATE TABLESPACE trap_space LOCATION ''",
            "CREATE INDEX idx_t_a ON t (a)",
            "CREATE INDEX a_elsewhere ON t (a) TABLESPACE trap_space",
        ),
        redundant=(Pair("a_elsewhere", "idx_t_a"),),
        proofs=(Serves("a_elsewhere", "SELECT s FROM t WHERE a = 7"),),
    ),
)

CLASSES = (
    RedundancyCase(
        name="pattern_operator_class",
        setup=(*T, "CREATE INDEX idx_t_s ON t (s)", "CREATE INDEX idx_t_s_like ON t (s text_pattern_ops)"),
        proofs=(
            Needs("idx_t_s", "SELECT s FROM t ORDER BY s"),
            Needs("idx_t_s_like", "SELECT s FROM t WHERE s ~>=~ 'a' AND s ~<~ 'b' ORDER BY s USING ~<~"),
        ),
    ),
    RedundancyCase(
        name="pattern_operator_class_is_no_prefix",
        setup=(*T, "CREATE INDEX idx_t_s_like ON t (s text_pattern_ops)", "CREATE INDEX idx_t_s_a ON t (s, a)"),
        proofs=(
            Needs("idx_t_s_like", "SELECT s FROM t ORDER BY s USING ~<~"),
            Needs("idx_t_s_a", "SELECT s, a FROM t ORDER BY s, a"),
        ),
    ),
    RedundancyCase(
        name="operator_classes_of_one_family",
        setup=(
            "CREATE TABLE t (v varchar(40), a int)",
            "INSERT INTO t SELECT md5(i::text), i FROM generate_series(1, 2000) i",
            "CREATE INDEX idx_t_v ON t (v)",
            "CREATE INDEX v_alias ON t (v varchar_ops)",
        ),
        redundant=(Pair("v_alias", "idx_t_v"),),
        proofs=(
            Serves("v_alias", "SELECT v FROM t ORDER BY v"),
            Serves("v_alias", "SELECT a FROM t WHERE v = 'c4ca4238a0b923820dcc509a6f75849b'"),
            Serves("v_alias", "SELECT a FROM t WHERE v > 'f'"),
        ),
    ),
    RedundancyCase(
        name="default_class_spelled_out",
        setup=(*T, "CREATE INDEX idx_t_a ON t (a)", "CREATE INDEX a_spelled ON t (a int4_ops ASC NULLS LAST)"),
        redundant=(Pair("a_spelled", "idx_t_a"),),
        proofs=(Serves("a_spelled", "SELECT a FROM t WHERE a > 3 ORDER BY a"),),
    ),
    RedundancyCase(
        name="other_collation",
        setup=(*T, "CREATE INDEX idx_t_s ON t (s)", 'CREATE INDEX idx_t_s_posix ON t (s COLLATE "POSIX")'),
        proofs=(
            Needs("idx_t_s", "SELECT s FROM t ORDER BY s"),
            Needs("idx_t_s_posix", 'SELECT s FROM t ORDER BY s COLLATE "POSIX"'),
        ),
    ),
    RedundancyCase(
        name="other_collation_is_no_prefix",
        setup=(*T, 'CREATE INDEX idx_t_s_c ON t (s COLLATE "C")', "CREATE INDEX idx_t_s_a ON t (s, a)"),
        proofs=(
            Needs("idx_t_s_c", """SELECT s FROM t WHERE s COLLATE "C" > 'f' ORDER BY s COLLATE "C" """),
            Needs("idx_t_s_a", "SELECT s FROM t WHERE s > 'f' ORDER BY s"),
        ),
    ),
    RedundancyCase(
        name="collation_of_the_column_spelled_out",
        setup=(
            'CREATE TABLE t (s text COLLATE "C", a int)',
            "INSERT INTO t SELECT md5(i::text), i FROM generate_series(1, 2000) i",
            "CREATE INDEX idx_t_s ON t (s)",
            'CREATE INDEX s_spelled ON t (s COLLATE "C")',
        ),
        redundant=(Pair("s_spelled", "idx_t_s"),),
        proofs=(Serves("s_spelled", "SELECT s FROM t WHERE s > 'f' ORDER BY s"),),
    ),
    RedundancyCase(
        name="collation_that_ignores_case",
        icu=True,
        setup=(
            *T,
            "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            "CREATE INDEX idx_t_s ON t (s)",
            "CREATE INDEX idx_t_s_nocase ON t (s COLLATE nocase)",
        ),
        proofs=(
            Needs("idx_t_s", "SELECT a FROM t WHERE s = 'c4ca4238a0b923820dcc509a6f75849b'"),
            Needs("idx_t_s_nocase", "SELECT a FROM t WHERE s = 'C4CA4238a0b923820dcc509a6f75849b' COLLATE nocase"),
        ),
    ),
    RedundancyCase(
        name="citext_is_not_text",
        extension="citext",
        setup=(
            "CREATE TABLE t (s citext, a int)",
            "INSERT INTO t SELECT md5(i::text), i FROM generate_series(1, 2000) i",
            "CREATE INDEX idx_t_s ON t (s)",
            "CREATE INDEX idx_t_s_text ON t ((s::text))",
        ),
        proofs=(
            Needs("idx_t_s", "SELECT a FROM t WHERE s = 'C4CA4238A0B923820DCC509A6F75849B'"),
            Needs("idx_t_s_text", "SELECT a FROM t WHERE s::text = 'c4ca4238a0b923820dcc509a6f75849b'"),
        ),
    ),
)

CASES = (*STORAGE, *CLASSES)
