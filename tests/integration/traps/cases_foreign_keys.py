"""Foreign-key traps of one column and of several: which index serves the server's lookup of referencing rows."""

from tests.integration.traps.case import ForeignKeyCase
from tests.integration.traps.cases_structure import SPOIL

KEY = frozenset({"child_parent_fk"})

# Parent 250 has no children: its lookup shows the way to the rows, not the number of them.
OTHERS = "i % 499 + 1 + (i % 499 >= 249)::int"
CHILD = (
    "CREATE TABLE parent (id int PRIMARY KEY)",
    "INSERT INTO parent SELECT generate_series(1, 500)",
    "CREATE TABLE child (id int, parent_id int, other int, deleted_at timestamptz, s text)",
    f"INSERT INTO child SELECT i, {OTHERS}, i * 7919 % 10007, now(), repeat('x', 60) FROM generate_series(1, 10000) i",
    "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (parent_id) REFERENCES parent",
)
TENANT_CHILD = (
    "CREATE TABLE parent (tenant int, id int, PRIMARY KEY (tenant, id))",
    "INSERT INTO parent SELECT t, i FROM generate_series(1, 4) t, generate_series(1, 500) i",
    "CREATE TABLE child (id int, tenant int, parent_id int, other int, s text)",
    (
        f"INSERT INTO child SELECT i, i % 4 + 1, {OTHERS}, i * 7919 % 10007, repeat('x', 60)"
        " FROM generate_series(1, 10000) i"
    ),
    "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (tenant, parent_id) REFERENCES parent",
)

ONE_COLUMN = (
    ForeignKeyCase(name="fk_no_index", setup=CHILD, unsupported=(KEY,)),
    ForeignKeyCase(name="fk_index", setup=(*CHILD, "CREATE INDEX ON child (parent_id)")),
    ForeignKeyCase(name="fk_index_descending", setup=(*CHILD, "CREATE INDEX ON child (parent_id DESC)")),
    ForeignKeyCase(name="fk_prefix_of_a_longer_index", setup=(*CHILD, "CREATE INDEX ON child (parent_id, other)")),
    ForeignKeyCase(
        name="fk_second_column",
        setup=(*CHILD, "CREATE INDEX ON child (other, parent_id)"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_leads_the_primary_key", setup=(*CHILD, "ALTER TABLE child ADD PRIMARY KEY (parent_id, id)")
    ),
    ForeignKeyCase(
        name="fk_second_in_the_primary_key",
        setup=(*CHILD, "ALTER TABLE child ADD PRIMARY KEY (id, parent_id)"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_leads_an_exclusion",
        setup=(
            *CHILD,
            "ALTER TABLE child ADD CONSTRAINT once EXCLUDE USING btree (parent_id WITH =, id WITH =)",
        ),
    ),
    ForeignKeyCase(
        name="fk_only_included",
        setup=(*CHILD, "CREATE INDEX ON child (other) INCLUDE (parent_id)"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(name="fk_hash", setup=(*CHILD, "CREATE INDEX ON child USING hash (parent_id)")),
    ForeignKeyCase(
        name="fk_brin",
        setup=(*CHILD, "CREATE INDEX ON child USING brin (parent_id)"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_gist",
        extension="btree_gist",
        setup=(*CHILD, "CREATE INDEX ON child USING gist (parent_id)"),
    ),
    ForeignKeyCase(
        name="fk_gin",
        extension="btree_gin",
        setup=(*CHILD, "CREATE INDEX ON child USING gin (parent_id)"),
    ),
    ForeignKeyCase(
        name="fk_gin_of_an_array",
        setup=(*CHILD, "CREATE INDEX ON child USING gin ((ARRAY[parent_id]))"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_expression",
        setup=(*CHILD, "CREATE INDEX ON child ((parent_id + 0))"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_invalid",
        setup=(*CHILD, "CREATE INDEX broken ON child (parent_id)", SPOIL.format("indisvalid", "broken")),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_partial_not_null",
        setup=(*CHILD, "CREATE INDEX ON child (parent_id) WHERE parent_id IS NOT NULL"),
    ),
    ForeignKeyCase(
        name="fk_partial_live_rows",
        setup=(*CHILD, "CREATE INDEX ON child (parent_id) WHERE deleted_at IS NULL"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_partial_other_not_null",
        setup=(*CHILD, "CREATE INDEX ON child (parent_id) WHERE other IS NOT NULL"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_cascade",
        setup=(
            *CHILD,
            "ALTER TABLE child DROP CONSTRAINT child_parent_fk",
            (
                "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (parent_id) REFERENCES parent"
                " ON DELETE CASCADE"
            ),
        ),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_set_null",
        setup=(
            *CHILD,
            "ALTER TABLE child DROP CONSTRAINT child_parent_fk",
            (
                "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (parent_id) REFERENCES parent"
                " ON DELETE SET NULL ON UPDATE CASCADE"
            ),
            "CREATE INDEX ON child (parent_id, other)",
        ),
    ),
    ForeignKeyCase(
        name="fk_not_valid",
        setup=(
            *CHILD,
            "ALTER TABLE child DROP CONSTRAINT child_parent_fk",
            "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (parent_id) REFERENCES parent NOT VALID",
        ),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_all_null_to_a_tiny_parent",
        setup=(*CHILD, "UPDATE child SET parent_id = NULL", "DELETE FROM parent WHERE id > 1"),
        unsupported=(KEY,),
    ),
)

COMPOSITE = (
    ForeignKeyCase(name="fk_pair_same_order", setup=(*TENANT_CHILD, "CREATE INDEX ON child (tenant, parent_id)")),
    ForeignKeyCase(name="fk_pair_other_order", setup=(*TENANT_CHILD, "CREATE INDEX ON child (parent_id, tenant)")),
    ForeignKeyCase(
        name="fk_pair_other_order_in_a_longer_index",
        setup=(*TENANT_CHILD, "CREATE INDEX ON child (parent_id DESC, tenant, other)"),
    ),
    ForeignKeyCase(
        name="fk_pair_with_a_gap",
        setup=(*TENANT_CHILD, "CREATE INDEX ON child (tenant, other, parent_id)"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_pair_first_column_only",
        setup=(*TENANT_CHILD, "CREATE INDEX ON child (tenant)"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_pair_second_column_included",
        setup=(*TENANT_CHILD, "CREATE INDEX ON child (tenant) INCLUDE (parent_id)"),
        unsupported=(KEY,),
    ),
    ForeignKeyCase(
        name="fk_pair_both_not_null",
        setup=(
            *TENANT_CHILD,
            "CREATE INDEX ON child (tenant, parent_id) WHERE parent_id IS NOT NULL AND tenant IS NOT NULL",
        ),
    ),
    ForeignKeyCase(
        name="fk_pair_one_not_null",
        setup=(*TENANT_CHILD, "CREATE INDEX ON child (tenant, parent_id) WHERE parent_id IS NOT NULL"),
    ),
    ForeignKeyCase(
        name="fk_pair_with_a_unique_column",
        setup=(
            "CREATE TABLE parent (tenant int, id int, PRIMARY KEY (tenant, id))",
            "INSERT INTO parent SELECT i % 4, i FROM generate_series(1, 10003) i",
            "CREATE TABLE child (tenant int, parent_id int UNIQUE, s text)",
            "INSERT INTO child SELECT i % 4, i, repeat('x', 60) FROM generate_series(1, 10000) i",
            "ALTER TABLE child ADD CONSTRAINT child_parent_fk FOREIGN KEY (tenant, parent_id) REFERENCES parent",
        ),
    ),
)

SEVERAL = (
    ForeignKeyCase(
        name="fk_two_on_the_same_column",
        setup=(
            *CHILD,
            "CREATE TABLE other_parent AS TABLE parent",
            "ALTER TABLE other_parent ADD PRIMARY KEY (id)",
            "ALTER TABLE child ADD CONSTRAINT child_other_fk FOREIGN KEY (parent_id) REFERENCES other_parent",
        ),
        unsupported=(frozenset({"child_parent_fk", "child_other_fk"}),),
    ),
    ForeignKeyCase(
        name="fk_two_on_the_same_pair_turned",
        setup=(
            *TENANT_CHILD,
            "CREATE TABLE other_parent AS TABLE parent",
            "ALTER TABLE other_parent ADD PRIMARY KEY (id, tenant)",
            "ALTER TABLE child ADD CONSTRAINT child_other_fk FOREIGN KEY (parent_id, tenant) REFERENCES other_parent",
        ),
        unsupported=(frozenset({"child_parent_fk", "child_other_fk"}),),
    ),
    ForeignKeyCase(
        name="fk_two_on_two_columns",
        setup=(
            *CHILD,
            "CREATE INDEX ON child (parent_id)",
            "CREATE TABLE other_parent AS SELECT generate_series(0, 10007) AS id",
            "ALTER TABLE other_parent ADD PRIMARY KEY (id)",
            "ALTER TABLE child ADD CONSTRAINT child_other_fk FOREIGN KEY (other) REFERENCES other_parent",
        ),
        unsupported=(frozenset({"child_other_fk"}),),
    ),
    ForeignKeyCase(
        name="fk_to_itself",
        setup=(
            "CREATE TABLE node (id int PRIMARY KEY, up int, s text)",
            "INSERT INTO node SELECT i, i / 2, repeat('x', 60) FROM generate_series(1, 10000) i",
            "UPDATE node SET up = NULL WHERE up = 0",
            "ALTER TABLE node ADD CONSTRAINT node_up_fk FOREIGN KEY (up) REFERENCES node",
        ),
        unsupported=(frozenset({"node_up_fk"}),),
    ),
    ForeignKeyCase(
        name="fk_to_itself_indexed",
        setup=(
            "CREATE TABLE node (id int PRIMARY KEY, up int, s text)",
            "INSERT INTO node SELECT i, nullif(i / 2, 0), repeat('x', 60) FROM generate_series(1, 10000) i",
            "ALTER TABLE node ADD CONSTRAINT node_up_fk FOREIGN KEY (up) REFERENCES node",
            "CREATE INDEX ON node (up)",
        ),
    ),
)

CASES = (*ONE_COLUMN, *COMPOSITE, *SEVERAL)
