"""Pairs that mean the same: nothing may be said of them."""

from tests.integration.drift.case import PARTITIONED, Case, on_both


def _same(name: str, declared: str, present: str) -> Case:
    return Case(
        name=f"same_{name}",
        table=(),
        declared=(f"CREATE INDEX i ON t {declared}",),
        present=(f"CREATE INDEX i ON t {present}",),
        section="silent",
    )


# The right side is what the server keeps after a dump and a restore, or another way to write it.
_WRITTEN_DIFFERENTLY = (
    _same("in_and_any", "(at) WHERE state IN ('a', 'b')", "(at) WHERE state = ANY (ARRAY['a', 'b'])"),
    _same(
        "varchar_restored",
        "(at) WHERE kind IN ('a', 'b''s')",
        "(at) WHERE ((kind)::text = ANY ((ARRAY['a'::character varying, 'b''s'::character varying])::text[]))",
    ),
    _same(
        "varchar_not_in",
        "(at) WHERE kind NOT IN ('a', 'b')",
        "(at) WHERE ((kind)::text <> ALL (ARRAY[('a'::character varying)::text, ('b'::character varying)::text]))",
    ),
    _same("one_in", "(at) WHERE kind IN ('a')", "(at) WHERE kind = 'a'"),
    _same("casts", "(at) WHERE state = 'a' AND n > 1", "(at) WHERE ((state = 'a'::text) AND (n > 1::integer))"),
    _same("parentheses", "((n + 1)) WHERE ((n > 1)) AND gone IS NULL", "((((n) + 1))) WHERE n > 1 AND (gone IS NULL)"),
    _same("qualified", "(at) WHERE t.n > 1", "(at) WHERE n > 1"),
    _same("a_column_in_parentheses", "((at))", "(at)"),
    _same("between", "(at) WHERE n BETWEEN 1 AND 9", "(at) WHERE n >= 1 AND n <= 9"),
    _same("unequal", "(at) WHERE n != 1", "(at) WHERE n <> 1"),
    _same("like", "(at) WHERE kind LIKE 'a%'", "(at) WHERE kind ~~ 'a%'"),
    _same("defaults", "USING btree (at ASC NULLS LAST, n DESC NULLS FIRST)", "(at, n DESC)"),
    _same("default_opclass", "(state text_ops)", "(state)"),
    _same("include_order", "(at) INCLUDE (n, kind)", "(at) INCLUDE (kind, n)"),
    _same("null_test", "(at) WHERE gone ISNULL AND n NOTNULL", "(at) WHERE (gone IS NULL) AND (n IS NOT NULL)"),
    _same("type_names", "(CAST(n AS int8), (amount::decimal))", "((n::bigint), (amount::numeric))"),
    _same(
        "three_terms", "(at) WHERE n > 1 AND n < 9 AND gone IS NULL", "(at) WHERE (n > 1 AND n < 9) AND gone IS NULL"
    ),
    _same("negative", "(at) WHERE n > -1", "(at) WHERE n > '-1'::integer"),
)

# The same statement on both sides: between versions a server may print it in another way.
_PRINTED = (
    "(lower(kind), (data ->> 'a'), ((data -> 'a') ->> 'b'))",
    "USING gin (to_tsvector('english', state || ' ' || coalesce(kind, '')))",
    "(date_trunc('day', at AT TIME ZONE 'UTC'), extract(year FROM at AT TIME ZONE 'UTC'))",
    "(substring(state FROM 1 FOR 3), trim(BOTH FROM state), position('a' IN state), overlay(state PLACING 'x' FROM 2))",
    "(coalesce(n, 0), nullif(kind, ''), greatest(n, 3), least(amount, 2.5))",
    "((CASE WHEN n > 1 THEN 'a' WHEN n IS NULL THEN NULL ELSE 'b' END))",
    "((amount / 3), (n::numeric * 1.5), (n % 7), (-n))",
    "(at) WHERE state IS DISTINCT FROM 'a' AND (n > 1 OR NOT (n < 0)) AND kind ~ '^a\\d' AND tags @> ARRAY['x']",
    "(at) WHERE (amount BETWEEN 0 AND 10) IS TRUE AND data @> '{\"a\": 1}' AND gone > '2020-01-01 00:00+00'",
    "(at) WHERE n = ANY ('{1,2}'::integer[]) AND state SIMILAR TO 'a%' AND state COLLATE \"C\" > 'x'",
    "(at) WHERE (n, amount) < (3, 4) AND data IS NOT NULL AND tags[1] = 'x' AND E'a\\\\b' <> state",
    "(at) WHERE gone - at > '1 day 02:00'::interval AND data::text::bytea <> '\\x01'::bytea AND amount > 0.1::float8",
    "USING hash (kind)",
    "USING brin (at timestamptz_minmax_multi_ops, n) WITH (pages_per_range = 16)",
    "USING gist (tstzrange(at, gone)) WITH (fillfactor = 70)",
    "USING spgist (kind)",
    "USING gin (tags, data jsonb_path_ops) WITH (fastupdate = off)",
    "(md5(state), (state || 'x') COLLATE \"C\" text_pattern_ops DESC NULLS LAST)",
)

_OTHER_PARTITIONS = Case(
    name="same_but_more_partitions",
    table=PARTITIONED[:1],
    declared=("CREATE INDEX i ON t (at)", "CREATE TABLE t_first PARTITION OF t FOR VALUES FROM (0) TO (10)"),
    present=(*PARTITIONED[1:], "CREATE INDEX i ON t (at)"),
    section="silent",
)

SILENT = (
    _OTHER_PARTITIONS,
    *(each for case in _WRITTEN_DIFFERENTLY for each in on_both(case)),
    *(_case for number, text in enumerate(_PRINTED) for _case in on_both(_same(f"printed_{number}", text, text))),
)
