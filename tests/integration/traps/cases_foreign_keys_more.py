"""Foreign-key traps of types, collations, partitions, names, and of what PostgreSQL 18 brought."""

from tests.integration.traps.case import ForeignKeyCase
from tests.integration.traps.cases_foreign_keys import CHILD, KEY, OTHERS


def _child_of(parent_type: str, child_type: str, *indexes: str) -> tuple[str, ...]:
    return (
        f"CREATE TABLE parent (id {parent_type} PRIMARY KEY)",
        f"INSERT INTO parent SELECT i::text::{parent_type} FROM generate_series(1000, 1500) i",
        f"CREATE TABLE child (parent_id {child_type}, s text)",
        (
            f"INSERT INTO child SELECT (1000 + {OTHERS})::text::{child_type}, repeat('x', 60)"
            " FROM generate_series(1, 10000) i"
        ),
        "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (parent_id) REFERENCES parent",
        *indexes,
    )


PARTITIONED_CHILD = (
    "CREATE TABLE parent (id int PRIMARY KEY)",
    "INSERT INTO parent SELECT generate_series(1, 500)",
    "CREATE TABLE child (day int, parent_id int, s text) PARTITION BY RANGE (day)",
    "CREATE TABLE child_1 PARTITION OF child FOR VALUES FROM (0) TO (50)",
    "CREATE TABLE child_2 PARTITION OF child FOR VALUES FROM (50) TO (100)",
    f"INSERT INTO child SELECT i % 100, {OTHERS}, repeat('x', 60) FROM generate_series(1, 10000) i",
    "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (parent_id) REFERENCES parent",
)
PARTITIONED_PARENT = (
    "CREATE TABLE parent (id int PRIMARY KEY) PARTITION BY RANGE (id)",
    "CREATE TABLE parent_1 PARTITION OF parent FOR VALUES FROM (0) TO (250)",
    "CREATE TABLE parent_2 PARTITION OF parent FOR VALUES FROM (250) TO (1000)",
    "INSERT INTO parent SELECT generate_series(1, 500)",
    "CREATE TABLE child (parent_id int, s text)",
    f"INSERT INTO child SELECT {OTHERS}, repeat('x', 60) FROM generate_series(1, 10000) i",
    "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (parent_id) REFERENCES parent",
)
STAYS = (
    "CREATE TABLE parent (room int, stay daterange, PRIMARY KEY (room, stay WITHOUT OVERLAPS))",
    "INSERT INTO parent SELECT i, '[2026-01-01,2027-01-01)' FROM generate_series(1, 500) i",
    "CREATE TABLE child (room int, stay daterange, s text)",
    (
        f"INSERT INTO child SELECT {OTHERS}, daterange('2026-01-01'::date + i % 300, '2026-01-02'::date + i % 300),"
        " repeat('x', 60) FROM generate_series(1, 10000) i"
    ),
    (
        "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (room, PERIOD stay)"
        " REFERENCES parent (room, PERIOD stay)"
    ),
)

TYPES = (
    ForeignKeyCase(
        name="fk_smaller_integer_indexed",
        setup=_child_of("bigint", "int", "CREATE INDEX ON child (parent_id)"),
    ),
    ForeignKeyCase(name="fk_smaller_integer", setup=_child_of("bigint", "int"), unsupported=(KEY,)),
    ForeignKeyCase(
        name="fk_varchar_to_text", setup=_child_of("text", "varchar(20)", "CREATE INDEX ON child (parent_id)")
    ),
    ForeignKeyCase(
        name="fk_uuid",
        setup=(
            "CREATE TABLE parent (id uuid PRIMARY KEY)",
            "INSERT INTO parent SELECT md5(i::text)::uuid FROM generate_series(1, 500) i",
            "CREATE TABLE child (parent_id uuid, s text)",
            f"INSERT INTO child SELECT md5(({OTHERS})::text)::uuid, repeat('x', 60) FROM generate_series(1, 10000) i",
            "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (parent_id) REFERENCES parent",
            "CREATE INDEX ON child (parent_id)",
        ),
    ),
    ForeignKeyCase(
        name="fk_cast_hides_the_column",
        setup=_child_of("numeric", "int", "CREATE INDEX ON child (parent_id)"),
        unsupported=(KEY,),
        mend="CREATE INDEX ON child ((parent_id::numeric))",
    ),
    ForeignKeyCase(
        name="fk_padded_text_to_text",
        setup=_child_of("text", "char(4)", "CREATE INDEX ON child (parent_id)"),
        unsupported=(KEY,),
        mend="CREATE INDEX ON child ((parent_id::text))",
    ),
    ForeignKeyCase(
        name="fk_pattern_operator_class",
        setup=_child_of("text", "text", "CREATE INDEX ON child (parent_id text_pattern_ops)"),
    ),
    ForeignKeyCase(
        name="fk_other_collation",
        setup=_child_of("text", "text", 'CREATE INDEX ON child (parent_id COLLATE "POSIX")'),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_collation_of_the_column",
        setup=(
            "CREATE TABLE parent (id text PRIMARY KEY)",
            "INSERT INTO parent SELECT i::text FROM generate_series(1000, 1500) i",
            'CREATE TABLE child (parent_id text COLLATE "C", s text)',
            f"INSERT INTO child SELECT (1000 + {OTHERS})::text, repeat('x', 60) FROM generate_series(1, 10000) i",
            "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (parent_id) REFERENCES parent",
            "CREATE INDEX ON child (parent_id)",
        ),
    ),
)

PARTITIONS = (
    ForeignKeyCase(name="fk_partitioned_child", setup=PARTITIONED_CHILD, unsupported=(KEY,)),
    ForeignKeyCase(
        name="fk_partitioned_child_indexed",
        setup=(*PARTITIONED_CHILD, "CREATE INDEX ON child (parent_id)"),
    ),
    ForeignKeyCase(
        name="fk_partitioned_child_with_an_index_a_part",
        setup=(
            *PARTITIONED_CHILD,
            "CREATE INDEX ON child_1 (parent_id)",
            "CREATE INDEX ON child_2 (parent_id, day)",
        ),
    ),
    ForeignKeyCase(
        name="fk_partitioned_child_with_one_part_indexed",
        setup=(*PARTITIONED_CHILD, "CREATE INDEX ON child_1 (parent_id)"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_partitioned_child_with_an_empty_shell",
        setup=(*PARTITIONED_CHILD, "CREATE INDEX ON ONLY child (parent_id)"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_of_one_partition",
        setup=(
            *PARTITIONED_CHILD,
            "ALTER TABLE child DROP CONSTRAINT child_parent_fk",
            "ALTER TABLE child_2 ADD CONSTRAINT child_parent_fk FOREIGN KEY (parent_id) REFERENCES parent",
        ),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_of_one_partition_indexed_above",
        setup=(
            *PARTITIONED_CHILD,
            "ALTER TABLE child DROP CONSTRAINT child_parent_fk",
            "ALTER TABLE child_2 ADD CONSTRAINT child_parent_fk FOREIGN KEY (parent_id) REFERENCES parent",
            "CREATE INDEX ON child (parent_id)",
        ),
    ),
    ForeignKeyCase(name="fk_partitioned_parent", setup=PARTITIONED_PARENT, unsupported=(KEY,)),
    ForeignKeyCase(
        name="fk_partitioned_parent_indexed",
        setup=(*PARTITIONED_PARENT, "CREATE INDEX ON child (parent_id)"),
    ),
)

NAMES = (
    ForeignKeyCase(
        name='fk "quoted", names; -- 🗝',
        setup=(
            'CREATE TABLE "Parent; --" ("the ""key"", first" int PRIMARY KEY)',
            'INSERT INTO "Parent; --" SELECT generate_series(1, 500)',
            'CREATE TABLE "child\n🗝" ("Parent""s" int, s text)',
            f"INSERT INTO \"child\n🗝\" SELECT {OTHERS}, repeat('x', 60) FROM generate_series(1, 10000) i",
            'ALTER TABLE "child\n🗝" ADD CONSTRAINT "<b>fk</b>" FOREIGN KEY ("Parent""s") REFERENCES "Parent; --"',
        ),
        unsupported=(frozenset({"<b>fk</b>"}),),
    ),
    ForeignKeyCase(
        name="fk_upper_case_column_indexed_lower",
        setup=(
            "CREATE TABLE parent (id int PRIMARY KEY)",
            "INSERT INTO parent SELECT generate_series(1, 500)",
            'CREATE TABLE child (parent_id int, "Parent_ID" int, s text)',
            f"INSERT INTO child SELECT i, {OTHERS}, repeat('x', 60) FROM generate_series(1, 10000) i",
            'ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY ("Parent_ID") REFERENCES parent',
            "CREATE INDEX ON child (parent_id)",
        ),
        unsupported=(KEY,),
    ),
)

LATER = (
    ForeignKeyCase(
        name="fk_not_enforced",
        since=18,
        setup=(
            *CHILD,
            "ALTER TABLE child DROP CONSTRAINT child_parent_fk",
            "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (parent_id) REFERENCES parent NOT ENFORCED",
        ),
    ),
    ForeignKeyCase(
        name="fk_temporal",
        since=18,
        extension="btree_gist",
        setup=STAYS,
        unsupported=(KEY,),
        mend="CREATE INDEX ON child USING gist (room, stay)",
    ),
    ForeignKeyCase(
        name="fk_temporal_indexed",
        since=18,
        extension="btree_gist",
        setup=(*STAYS, "CREATE INDEX ON child USING gist (room, stay)"),
        mend="CREATE INDEX ON child USING gist (room, stay)",
    ),
)

CASES = (*TYPES, *PARTITIONS, *NAMES, *LATER)
