"""Redundancy traps of the other access methods: hash, GIN, GiST, SP-GiST, BRIN, bloom."""

from tests.integration.traps.case import Cheaper, Needs, Pair, RedundancyCase, Serves, Smaller
from tests.integration.traps.cases_btree import T

LONG_TEXTS = (
    "CREATE TABLE t (s text, a int)",
    "INSERT INTO t SELECT repeat(md5(i::text), 8), i FROM generate_series(1, 2000) i",
)
DOCUMENTS = (
    "CREATE TABLE t (d jsonb, e jsonb, a int)",
    (
        "INSERT INTO t SELECT jsonb_build_object('k', i % 50, 'j', md5(i::text)),"
        " jsonb_build_object('e', i % 60, 'f', md5((-i)::text)), i"
        " FROM generate_series(1, 2000) i"
    ),
)
POINTS = (
    "CREATE TABLE t (p point, r daterange, q daterange)",
    (
        "INSERT INTO t SELECT point(i % 50, i / 50), daterange('2026-01-01'::date + i, '2026-01-03'::date + i),"
        " daterange('2026-01-01'::date + i * 7919 % 2003, '2026-01-03'::date + i * 7919 % 2003)"
        " FROM generate_series(1, 2000) i"
    ),
)
GROWING = (
    "CREATE TABLE t (c int, a int, s text)",
    "INSERT INTO t SELECT i, i % 40, repeat('x', 60) FROM generate_series(1, 20000) i",
)
FIRST_TEXT = "SELECT a FROM t WHERE s = repeat(md5('1'), 8)"

HASH = (
    RedundancyCase(
        name="hash_is_no_btree",
        setup=(*LONG_TEXTS, "CREATE INDEX idx_t_s ON t (s)", "CREATE INDEX idx_t_s_hash ON t USING hash (s)"),
        proofs=(Needs("idx_t_s", "SELECT s FROM t ORDER BY s"), Smaller("idx_t_s_hash", "idx_t_s", 2)),
    ),
    RedundancyCase(
        name="hash_twins",
        setup=(
            *LONG_TEXTS,
            "CREATE INDEX idx_t_s ON t USING hash (s)",
            "CREATE INDEX a_twin ON t USING hash (s) WITH (fillfactor = 60)",
        ),
        redundant=(Pair("a_twin", "idx_t_s"),),
        proofs=(Serves("a_twin", FIRST_TEXT),),
    ),
    RedundancyCase(
        name="hash_of_another_column",
        setup=(
            *LONG_TEXTS,
            "CREATE INDEX idx_t_s ON t USING hash (s)",
            "CREATE INDEX idx_t_a ON t USING hash (a)",
        ),
        proofs=(Needs("idx_t_s", FIRST_TEXT), Needs("idx_t_a", "SELECT s FROM t WHERE a = 7")),
    ),
)

GIN = (
    RedundancyCase(
        name="gin_operator_classes",
        setup=(
            *DOCUMENTS,
            "CREATE INDEX idx_t_d ON t USING gin (d)",
            "CREATE INDEX idx_t_d_path ON t USING gin (d jsonb_path_ops)",
        ),
        proofs=(
            Needs("idx_t_d", "SELECT a FROM t WHERE d ? 'nothing'"),
            Smaller("idx_t_d_path", "idx_t_d"),
        ),
    ),
    RedundancyCase(
        name="gin_twins",
        setup=(
            *DOCUMENTS,
            "CREATE INDEX idx_t_d ON t USING gin (d)",
            "CREATE INDEX a_twin ON t USING gin (d) WITH (fastupdate = off)",
        ),
        redundant=(Pair("a_twin", "idx_t_d"),),
        proofs=(Serves("a_twin", """SELECT a FROM t WHERE d @> '{"k": 7}'"""),),
    ),
    RedundancyCase(
        name="gin_columns_in_any_order",
        setup=(
            *DOCUMENTS,
            "CREATE INDEX idx_t_d_e ON t USING gin (d, e)",
            "CREATE INDEX a_turned ON t USING gin (e, d)",
        ),
        redundant=(Pair("a_turned", "idx_t_d_e"),),
        proofs=(
            Serves("a_turned", """SELECT a FROM t WHERE e @> '{"e": 7}'"""),
            Serves("a_turned", """SELECT a FROM t WHERE d @> '{"k": 7}' AND e @> '{"e": 7}'"""),
        ),
    ),
    RedundancyCase(
        name="gin_is_no_prefix",
        setup=(
            *DOCUMENTS,
            "CREATE INDEX idx_t_d ON t USING gin (d)",
            "CREATE INDEX idx_t_d_e ON t USING gin (d, e)",
        ),
        proofs=(
            Smaller("idx_t_d", "idx_t_d_e"),
            Needs("idx_t_d_e", """SELECT a FROM t WHERE e @> '{"e": 7}'"""),
        ),
    ),
    RedundancyCase(
        name="trigrams_are_no_btree",
        extension="pg_trgm",
        setup=(*T, "CREATE INDEX idx_t_s ON t (s)", "CREATE INDEX idx_t_s_trgm ON t USING gin (s gin_trgm_ops)"),
        proofs=(
            Needs("idx_t_s", "SELECT s FROM t ORDER BY s"),
            Needs("idx_t_s_trgm", "SELECT a FROM t WHERE s LIKE '%c4ca%'"),
        ),
    ),
    RedundancyCase(
        name="trigrams_by_gin_and_by_gist",
        extension="pg_trgm",
        setup=(
            *T,
            "CREATE INDEX idx_t_s_gin ON t USING gin (s gin_trgm_ops)",
            "CREATE INDEX idx_t_s_gist ON t USING gist (s gist_trgm_ops)",
        ),
        proofs=(
            Cheaper("idx_t_s_gin", "SELECT a FROM t WHERE s LIKE '%c4ca42%'"),
            Needs("idx_t_s_gist", "SELECT s FROM t ORDER BY s <-> 'c4ca' LIMIT 1"),
        ),
    ),
)

GIST = (
    RedundancyCase(
        name="signature_lengths_differ",
        setup=(
            "CREATE TABLE t (v tsvector, a int)",
            (
                "INSERT INTO t SELECT to_tsvector('simple', string_agg(md5((i * 1000 + j)::text), ' ')), i"
                " FROM generate_series(1, 300) i, generate_series(1, 130) j GROUP BY i"
            ),
            "CREATE INDEX idx_t_v_short ON t USING gist (v tsvector_ops (siglen = 8))",
            "CREATE INDEX idx_t_v_long ON t USING gist (v tsvector_ops (siglen = 400))",
        ),
        proofs=(
            Smaller("idx_t_v_short", "idx_t_v_long"),
            Cheaper("idx_t_v_long", "SELECT a FROM t WHERE v @@ to_tsquery('simple', md5('7007'))"),
        ),
    ),
    RedundancyCase(
        name="signature_lengths_equal",
        extension="pg_trgm",
        setup=(
            *T,
            "CREATE INDEX idx_t_s ON t USING gist (s gist_trgm_ops (siglen = 64))",
            "CREATE INDEX a_twin ON t USING gist (s gist_trgm_ops (siglen = 64))",
        ),
        redundant=(Pair("a_twin", "idx_t_s"),),
        proofs=(Serves("a_twin", "SELECT a FROM t WHERE s LIKE '%c4ca4238%'"),),
    ),
    RedundancyCase(
        name="gist_columns_swapped",
        setup=(
            *POINTS,
            "CREATE INDEX idx_t_r_q ON t USING gist (r, q)",
            "CREATE INDEX idx_t_q_r ON t USING gist (q, r)",
        ),
        proofs=(
            Cheaper("idx_t_r_q", "SELECT p FROM t WHERE r && '[2026-02-01,2026-02-03)'", 1.5),
            Cheaper("idx_t_q_r", "SELECT p FROM t WHERE q && '[2026-02-01,2026-02-03)'", 1.5),
        ),
    ),
    RedundancyCase(
        name="gist_twins_with_include",
        setup=(
            *POINTS,
            "CREATE INDEX idx_t_r ON t USING gist (r) INCLUDE (q)",
            "CREATE INDEX a_twin ON t USING gist (r) INCLUDE (q) WITH (buffering = on)",
        ),
        redundant=(Pair("a_twin", "idx_t_r"),),
        proofs=(Serves("a_twin", "SELECT r, q FROM t WHERE r && '[2026-02-01,2026-02-03)'"),),
    ),
    RedundancyCase(
        name="gist_inside_its_covering_twin",
        setup=(
            *POINTS,
            "CREATE INDEX idx_t_r ON t USING gist (r)",
            "CREATE INDEX idx_t_r_cover ON t USING gist (r) INCLUDE (q)",
        ),
        redundant=(Pair("idx_t_r", "idx_t_r_cover", "prefix"),),
        proofs=(
            Serves("idx_t_r", "SELECT p FROM t WHERE r && '[2026-02-01,2026-02-03)'"),
            Serves("idx_t_r", "SELECT r FROM t WHERE r @> '2026-02-03'::date"),
        ),
    ),
    RedundancyCase(
        name="spgist_twins",
        setup=(*POINTS, "CREATE INDEX idx_t_p ON t USING spgist (p)", "CREATE INDEX a_twin ON t USING spgist (p)"),
        redundant=(Pair("a_twin", "idx_t_p"),),
        proofs=(Serves("a_twin", "SELECT r FROM t WHERE p <@ box '((3,3),(5,5))'"),),
    ),
    RedundancyCase(
        name="spgist_is_no_btree",
        setup=(*T, "CREATE INDEX idx_t_s ON t (s)", "CREATE INDEX idx_t_s_sp ON t USING spgist (s)"),
        proofs=(
            Needs("idx_t_s", "SELECT s FROM t ORDER BY s"),
            Needs("idx_t_s_sp", "SELECT a FROM t WHERE s ^@ 'c4ca'"),
        ),
    ),
)

SUMMARIES = (
    RedundancyCase(
        name="brin_is_no_btree",
        setup=(*GROWING, "CREATE INDEX idx_t_c ON t (c)", "CREATE INDEX idx_t_c_brin ON t USING brin (c)"),
        proofs=(Needs("idx_t_c", "SELECT c FROM t ORDER BY c"), Smaller("idx_t_c_brin", "idx_t_c", 5)),
    ),
    RedundancyCase(
        name="brin_range_sizes_differ",
        setup=(
            "CREATE TABLE t (c int, a int, s text) WITH (fillfactor = 10)",
            "INSERT INTO t SELECT i, i % 40, repeat('x', 60) FROM generate_series(1, 20000) i",
            "CREATE INDEX idx_t_c_fine ON t USING brin (c) WITH (pages_per_range = 1)",
            "CREATE INDEX idx_t_c_coarse ON t USING brin (c) WITH (pages_per_range = 64)",
        ),
        proofs=(
            Cheaper("idx_t_c_fine", "SELECT a FROM t WHERE c = 777"),
            Smaller("idx_t_c_coarse", "idx_t_c_fine"),
        ),
    ),
    RedundancyCase(
        name="brin_twins",
        setup=(
            *GROWING,
            "CREATE INDEX idx_t_c ON t USING brin (c) WITH (pages_per_range = 16)",
            "CREATE INDEX a_twin ON t USING brin (c) WITH (pages_per_range = 16)",
        ),
        redundant=(Pair("a_twin", "idx_t_c"),),
        proofs=(Serves("a_twin", "SELECT a FROM t WHERE c BETWEEN 700 AND 800"),),
    ),
    RedundancyCase(
        name="brin_range_size_spelled_out",
        setup=(
            *GROWING,
            "CREATE INDEX idx_t_c ON t USING brin (c)",
            "CREATE INDEX a_twin ON t USING brin (c) WITH (pages_per_range = 128)",
        ),
        redundant=(Pair("a_twin", "idx_t_c"),),
        proofs=(Serves("a_twin", "SELECT a FROM t WHERE c BETWEEN 700 AND 800"),),
    ),
    RedundancyCase(
        name="brin_columns_in_any_order",
        setup=(
            *GROWING,
            "CREATE INDEX idx_t_c_a ON t USING brin (c, a)",
            "CREATE INDEX a_turned ON t USING brin (a, c)",
        ),
        redundant=(Pair("a_turned", "idx_t_c_a"),),
        proofs=(Serves("a_turned", "SELECT s FROM t WHERE c BETWEEN 700 AND 800 AND a = 7"),),
    ),
    RedundancyCase(
        name="brin_operator_classes",
        setup=(
            "CREATE TABLE t (c int, a int)",
            "INSERT INTO t SELECT i * 7919 % 20011, i FROM generate_series(1, 20000) i",
            "CREATE INDEX idx_t_c ON t USING brin (c) WITH (pages_per_range = 4)",
            (
                "CREATE INDEX idx_t_c_bloom ON t USING brin (c int4_bloom_ops (n_distinct_per_range = 1000))"
                " WITH (pages_per_range = 4)"
            ),
        ),
        proofs=(
            Needs("idx_t_c", "SELECT a FROM t WHERE c < 10"),
            Cheaper("idx_t_c_bloom", "SELECT a FROM t WHERE c = 777"),
        ),
    ),
    RedundancyCase(
        name="bloom_twins",
        extension="bloom",
        setup=(
            *T,
            "CREATE INDEX idx_t_a_b ON t USING bloom (a, b) WITH (length = 80)",
            "CREATE INDEX a_twin ON t USING bloom (a, b) WITH (length = 80)",
        ),
        redundant=(Pair("a_twin", "idx_t_a_b"),),
        proofs=(Serves("a_twin", "SELECT s FROM t WHERE b = 5"),),
    ),
    RedundancyCase(
        name="bloom_lengths_differ",
        extension="bloom",
        setup=(
            "CREATE TABLE t (a int, b int, s text) WITH (fillfactor = 10)",
            "INSERT INTO t SELECT i % 40, i * 7919 % 2003, md5(i::text) FROM generate_series(1, 2000) i",
            "CREATE INDEX idx_t_a_b_short ON t USING bloom (a, b) WITH (length = 16)",
            "CREATE INDEX idx_t_a_b_long ON t USING bloom (a, b) WITH (length = 160)",
        ),
        proofs=(
            Smaller("idx_t_a_b_short", "idx_t_a_b_long"),
            Cheaper("idx_t_a_b_long", "SELECT s FROM t WHERE b = 5"),
        ),
    ),
)

CASES = (*HASH, *GIN, *GIST, *SUMMARIES)
