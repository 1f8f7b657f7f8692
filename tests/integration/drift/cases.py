"""Cases in which an index is there under its name and differs, or is there under another name."""

from dbvitals.model import Severity
from tests.integration.drift.case import PARTITIONED, PLAIN, ROWS, Case, on_both


def _index(name: str, declared: str, present: str, *differences: str, severity: Severity = Severity.MEDIUM) -> Case:
    """Two definitions of the index `i`, each from after its name on; `UNIQUE` may stand before."""
    return Case(
        name=name,
        table=(),
        declared=(_create(declared),),
        present=(_create(present),),
        differences=differences,
        severity=severity,
    )


def _create(definition: str) -> str:
    unique = "UNIQUE " if definition.startswith("UNIQUE ") else ""
    return f"CREATE {unique}INDEX i {definition.removeprefix('UNIQUE ')}"


_DEFINITIONS = (
    _index(
        "where_changed",
        "ON t (at) WHERE gone IS NULL",
        "ON t (at) WHERE state = 'active'",
        "predicate: expected (gone IS NULL), found (state = 'active'::text)",
    ),
    _index("where_lost", "ON t (at) WHERE gone IS NULL", "ON t (at)", "predicate: expected (gone IS NULL), found none"),
    _index(
        "where_added",
        "ON t (at)",
        "ON t (at) WHERE gone IS NULL",
        "predicate: expected none, found (gone IS NULL)",
    ),
    _index(
        "where_in_varchar",
        "ON t (at) WHERE kind IN ('a', 'b''s')",
        "ON t (at) WHERE kind IN ('a', 'c')",
        "predicate: expected ((kind)::text = ANY (ARRAY['a'::text, 'b''s'::text])),"
        " found ((kind)::text = ANY (ARRAY['a'::text, 'c'::text]))",
    ),
    _index(
        "desc_lost", "ON t (tenant, at DESC)", "ON t (tenant, at)", "order: expected tenant, at DESC, found tenant, at"
    ),
    _index(
        "desc_added", "ON t (tenant, at)", "ON t (tenant, at DESC)", "order: expected tenant, at, found tenant, at DESC"
    ),
    _index(
        "mirrored",
        "ON t (at DESC, n)",
        "ON t (at, n DESC)",
        "mirrored order: expected at DESC, n, found at, n DESC",
        severity=Severity.INFO,
    ),
    _index(
        "nulls_first",
        "ON t (tenant, gone DESC NULLS LAST)",
        "ON t (tenant, gone DESC)",
        "order: expected tenant, gone DESC NULLS LAST, found tenant, gone DESC",
    ),
    _index(
        "column_order", "ON t (tenant, at)", "ON t (at, tenant)", "key columns: expected tenant, at, found at, tenant"
    ),
    _index(
        "column_lost",
        "ON t (tenant, at DESC)",
        "ON t (tenant)",
        "key columns: expected tenant, at DESC, found tenant",
    ),
    _index("include_lost", "ON t (at) INCLUDE (n)", "ON t (at)", "INCLUDE: expected n, found none"),
    _index(
        "include_changed", "ON t (at) INCLUDE (n)", "ON t (at) INCLUDE (n, kind)", "INCLUDE: expected n, found kind, n"
    ),
    _index(
        "pattern_ops",
        "ON t (state text_pattern_ops)",
        "ON t (state)",
        "operator classes: expected text_pattern_ops, found text_ops",
    ),
    _index(
        "path_ops",
        "ON t USING gin (data jsonb_path_ops)",
        "ON t USING gin (data)",
        "operator classes: expected jsonb_path_ops, found jsonb_ops",
    ),
    _index("collation", 'ON t (state COLLATE "C")', "ON t (state)", 'collations: expected "C", found "default"'),
    _index(
        "unique_lost",
        "UNIQUE ON t (id, state)",
        "ON t (id, state)",
        "uniqueness: expected unique, found not unique",
        severity=Severity.HIGH,
    ),
    _index(
        "unique_gained",
        "ON t (id, state)",
        "UNIQUE ON t (id, state)",
        "uniqueness: expected not unique, found unique",
        severity=Severity.HIGH,
    ),
    _index(
        "nulls_not_distinct_lost",
        "UNIQUE ON t (id, n) NULLS NOT DISTINCT",
        "UNIQUE ON t (id, n)",
        "uniqueness: expected unique NULLS NOT DISTINCT, found unique",
        severity=Severity.HIGH,
    ),
    _index("method", "ON t (kind)", "ON t USING hash (kind)", "access method: expected btree, found hash"),
    _index(
        "expression",
        "ON t (lower(state), (n + 1) DESC)",
        "ON t (upper(state), (n + 1) DESC)",
        "key columns: expected lower(state), ((n + 1)) DESC, found upper(state), ((n + 1)) DESC",
    ),
    _index(
        "cast_lost",
        "ON t ((n::bigint))",
        "ON t (n)",
        "key columns: expected ((n)::bigint), found n",
    ),
    _index(
        "date_changed",
        "ON t (n) WHERE gone > '2026-01-01 00:00+00'",
        "ON t (n) WHERE gone > '2025-01-01 00:00+00'",
        "predicate: expected (gone > '2026-01-01 00:00:00+00'::timestamp with time zone),"
        " found (gone > '2025-01-01 00:00:00+00'::timestamp with time zone)",
    ),
    _index(
        "expression_order",
        "ON t ((data ->> 'a') COLLATE \"C\" DESC, n)",
        "ON t ((data ->> 'a') COLLATE \"C\", n)",
        "order: expected ((data ->> 'a'::text)) DESC, n, found ((data ->> 'a'::text)), n",
    ),
    _index(
        "fillfactor_lost",
        "ON t (at) WITH (fillfactor = 70)",
        "ON t (at)",
        "storage: expected fillfactor=70, found none",
        severity=Severity.INFO,
    ),
    _index(
        "storage_changed",
        "ON t (at) WITH (fillfactor = 70)",
        "ON t (at) WITH (fillfactor = 60, deduplicate_items = off)",
        "storage: expected fillfactor=70, found deduplicate_items=off, fillfactor=60",
        severity=Severity.INFO,
    ),
    _index(
        "several",
        "UNIQUE ON t (id, at DESC) INCLUDE (n) WHERE n > 0",
        "ON t (id, at)",
        "order: expected id, at DESC, found id, at",
        "INCLUDE: expected n, found none",
        "uniqueness: expected unique, found not unique",
        "predicate: expected (n > 0), found none",
        severity=Severity.HIGH,
    ),
)

_CONSTRAINTS = (
    Case(
        name="primary_key_lost",
        table=(),
        declared=("ALTER TABLE t ADD PRIMARY KEY (id)",),
        present=("CREATE UNIQUE INDEX t_pkey ON t (id)",),
        index="t_pkey",
        differences=("constraint: expected primary, found none",),
        severity=Severity.HIGH,
    ),
    Case(
        name="primary_key_changed",
        table=(),
        declared=("ALTER TABLE t ADD PRIMARY KEY (tenant, id)",),
        present=("ALTER TABLE t ADD PRIMARY KEY (id)",),
        index="t_pkey",
        differences=("key columns: expected tenant, id, found id",),
    ),
    Case(
        name="unique_constraint_lost",
        table=(),
        declared=("ALTER TABLE t ADD CONSTRAINT i UNIQUE (id, n) INCLUDE (kind)",),
        present=("CREATE UNIQUE INDEX i ON t (id, n) INCLUDE (kind)",),
        differences=("constraint: expected unique, found none",),
        severity=Severity.HIGH,
    ),
    Case(
        name="unique_constraint_gained",
        table=(),
        declared=("CREATE UNIQUE INDEX i ON t (id, n)",),
        present=("ALTER TABLE t ADD CONSTRAINT i UNIQUE (id, n)",),
        differences=("constraint: expected none, found unique",),
        severity=Severity.HIGH,
    ),
    Case(
        name="deferrable_lost",
        table=(),
        declared=("ALTER TABLE t ADD CONSTRAINT i UNIQUE (id, n) DEFERRABLE",),
        present=("ALTER TABLE t ADD CONSTRAINT i UNIQUE (id, n)",),
        differences=("uniqueness: expected unique deferrable, found unique",),
        severity=Severity.HIGH,
    ),
    Case(
        name="nulls_not_distinct_constraint",
        table=(),
        declared=("ALTER TABLE t ADD CONSTRAINT i UNIQUE NULLS NOT DISTINCT (id, n) WITH (fillfactor = 80)",),
        present=("ALTER TABLE t ADD CONSTRAINT i UNIQUE (id, n)",),
        differences=(
            "uniqueness: expected unique NULLS NOT DISTINCT, found unique",
            "storage: expected fillfactor=80, found none",
        ),
        severity=Severity.HIGH,
    ),
    Case(
        name="renamed",
        table=(),
        declared=("CREATE INDEX i ON t (tenant, lower(state) DESC) WHERE gone IS NULL",),
        present=("CREATE INDEX other ON t (tenant, lower(state) DESC) WHERE gone IS NULL",),
        section="renamed",
        index="other",
        differences=("name: expected i, found other",),
        severity=Severity.INFO,
    ),
    Case(
        name="renamed_constraint",
        table=(),
        declared=("ALTER TABLE t ADD CONSTRAINT i UNIQUE (id, n)",),
        present=("ALTER TABLE t ADD CONSTRAINT other UNIQUE (id, n)",),
        section="renamed",
        index="other",
        differences=("name: expected i, found other",),
        severity=Severity.INFO,
    ),
)

_PLAIN_ONLY = (
    Case(
        name="invalid_unique",
        table=(*PLAIN, ROWS),
        declared=("CREATE UNIQUE INDEX i ON t (tenant, n)",),
        present=("INSERT INTO t SELECT * FROM t WHERE id = 1",),
        refused=("CREATE UNIQUE INDEX CONCURRENTLY i ON t (tenant, n)",),
        differences=("state: expected a valid index, found an invalid one",),
        first=("DELETE FROM t WHERE id = 1",),
    ),
    Case(
        name="invalid_and_different",
        table=(*PLAIN, ROWS),
        declared=("CREATE INDEX i ON t (at)",),
        refused=("CREATE INDEX CONCURRENTLY i ON t ((1 / (id - 1)))",),
        differences=(
            "key columns: expected at, found ((1 / (id - 1)))",
            "state: expected a valid index, found an invalid one",
        ),
    ),
    Case(
        name="invalid_on_the_parent_only",
        table=(*PARTITIONED, ROWS),
        declared=("CREATE INDEX i ON t (at)",),
        present=("CREATE INDEX i ON ONLY t (at)", "CREATE INDEX one_part ON t_low (at)"),
        differences=("state: expected a valid index, found an invalid one",),
    ),
    Case(
        name="column_of_another_collation",
        table=(),
        declared=('CREATE TABLE t (x text COLLATE "C")', "CREATE INDEX i ON t (x)"),
        present=("CREATE TABLE t (x text)", "CREATE INDEX i ON t (x)"),
        differences=('collations: expected "C", found "default"',),
    ),
    Case(
        name="column_of_another_type",
        table=(),
        declared=("CREATE TABLE t (x bigint)", "CREATE INDEX i ON t (x)"),
        present=("CREATE TABLE t (x integer)", "CREATE INDEX i ON t (x)"),
        differences=(
            "column type: expected x bigint, found integer",
            "operator classes: expected int8_ops, found int4_ops",
        ),
        mends=False,
    ),
    Case(
        name="replica_identity_stays",
        table=PLAIN,
        declared=("CREATE UNIQUE INDEX i ON t (id) INCLUDE (n)",),
        present=("CREATE UNIQUE INDEX i ON t (id)", "ALTER TABLE t REPLICA IDENTITY USING INDEX i"),
        differences=("INCLUDE: expected n, found none",),
    ),
    Case(
        name="clustered_stays",
        table=PLAIN,
        declared=("CREATE INDEX i ON t (at)",),
        present=("CREATE INDEX i ON t (at DESC, n)", "ALTER TABLE t CLUSTER ON i"),
        differences=("key columns: expected at, found at DESC, n",),
    ),
    Case(
        name="exclusion_changed",
        table=PLAIN,
        declared=("ALTER TABLE t ADD CONSTRAINT i EXCLUDE USING gist (tstzrange(at, gone) WITH &&)",),
        present=(
            "ALTER TABLE t ADD CONSTRAINT i EXCLUDE USING gist (tstzrange(at, gone) WITH &&) WHERE (state = 'active')",
        ),
        differences=("predicate: expected none, found (state = 'active'::text)",),
        mends=False,
    ),
)


def _hostile(number: int, table: str, index: str, column: str) -> Case:
    return Case(
        name=f"hostile {number} \"'<script>,\n\N{HOTEL}",
        table=(f"CREATE TABLE {table} ({column} text, b varchar)",),
        declared=(f"CREATE INDEX {index} ON {table} (lower({column}), b DESC) INCLUDE (b) WHERE {column} <> ''",),
        present=(f"CREATE INDEX {index} ON {table} (lower({column}), b) WHERE {column} IN ('a', 'b')",),
        index=index[1:-1].replace('""', '"'),
        severity=Severity.MEDIUM,
        differences=(
            f"order: expected lower({column}), b DESC, found lower({column}), b",
            "INCLUDE: expected b, found none",
            f"predicate: expected ({column} <> ''::text), found ({column} = ANY (ARRAY['a'::text, 'b'::text]))",
        ),
    )


_EMOJI = "\N{HOTEL}" * 15 + "abc"  # 63 bytes

_HOSTILE = (
    _hostile(1, '"a""b\'c"', '"i""d\'x"', '"c""o\'l"'),
    _hostile(2, '"new\nline"', '"in\ndex"', '"col\numn, x"'),
    _hostile(3, f'"{_EMOJI}"', f'"{_EMOJI[:-1]}i"', f'"{_EMOJI}"'),
    _hostile(4, '"<script>alert(1)</script>"', '"<script>\'); DROP TABLE t; --"', '"select"'),
    _hostile(5, '"$$ $a$ %s {}"', '"\\ back; \\! ls"', "\"('a'::character varying)::text\""),
)

DRIFTED = (*(each for case in (*_DEFINITIONS, *_CONSTRAINTS) for each in on_both(case)), *_PLAIN_ONLY, *_HOSTILE)
