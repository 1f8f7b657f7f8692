"""What the collector sees of a catalogue, and what it does not do to the server."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import sql

from dbvitals.collect.catalog import Scope, collect_catalog
from dbvitals.collect.postgres import reading
from dbvitals.collect.queries import load
from dbvitals.sandbox import PostgresServer
from dbvitals.settings import Timeouts
from dbvitals.snapshot import CatalogSnapshot, IndexInfo
from tests.integration.collect.conftest import Snapshot

Connect = Callable[[str], psycopg.Connection[Any]]

HOSTILE = ('quo"te', "line\nbreak", "comma, paren)", "<script>alert(1)</script>", "😀" * 15 + "abc", "SELECT", "a'b;--")


def index_named(snapshot: CatalogSnapshot, name: str) -> IndexInfo:
    return next(index for index in snapshot.indexes if index.name == name)


def test_key_columns_come_with_everything_that_makes_them_differ(
    database: str, connect: Connect, snapshot: Snapshot
) -> None:
    connect(database).execute(
        """
        CREATE TABLE t (id bigint PRIMARY KEY, a int NOT NULL, b text, c text COLLATE "C");
        CREATE INDEX plain ON t (a);
        CREATE INDEX turned ON t (a DESC, b NULLS FIRST);
        CREATE INDEX pattern ON t (b text_pattern_ops, c COLLATE "POSIX");
        CREATE INDEX computed ON t (lower(b), (a + 1)) INCLUDE (c) WHERE a > 3;
        """
    )
    seen = snapshot(database)
    plain, turned = index_named(seen, "plain"), index_named(seen, "turned")
    assert [(key.column, key.descending, key.nulls_first) for key in plain.keys] == [("a", False, False)]
    assert [(key.column, key.descending, key.nulls_first) for key in turned.keys] == [
        ("a", True, True),
        ("b", False, True),
    ]
    pattern = index_named(seen, "pattern")
    assert [(k.opclass, k.opclass_default, k.collation, k.collation_default) for k in pattern.keys] == [
        ("text_pattern_ops", False, '"default"', True),
        ("text_ops", True, '"POSIX"', False),
    ]
    computed = index_named(seen, "computed")
    assert [(key.column, key.text) for key in computed.keys] == [(None, "lower(b)"), (None, "((a + 1))")]
    assert (computed.include, computed.predicate) == (("c",), "(a > 3)")
    primary = index_named(seen, "t_pkey")
    assert primary.constraint is not None
    assert (primary.constraint.name, primary.constraint.type, primary.unique) == ("t_pkey", "primary", True)


def test_hostile_names_come_back_as_they_are(database: str, connect: Connect, snapshot: Snapshot) -> None:
    connection = connect(database)
    for name in HOSTILE:
        connection.execute(
            sql.SQL("CREATE SCHEMA {0}; CREATE TABLE {0}.{0} ({0} int); CREATE INDEX {1} ON {0}.{0} ({0})").format(
                sql.Identifier(name), sql.Identifier(name[:14] + "_i")
            )
        )
    seen = snapshot(database)
    assert {(table.schema, table.name) for table in seen.tables} == {(name, name) for name in HOSTILE}
    assert {index.keys[0].column for index in seen.indexes} == set(HOSTILE)
    again = msgspec.json.decode(msgspec.json.encode(seen), type=CatalogSnapshot)
    assert again == seen


def test_the_number_of_statements_does_not_grow_with_the_database(
    database: str, connect: Connect, snapshot: Snapshot
) -> None:
    few = snapshot(database).statements_sent
    connection = connect(database)
    for number in range(120):
        connection.execute(
            f"CREATE SCHEMA s{number}; CREATE TABLE s{number}.t (id int PRIMARY KEY, r int REFERENCES s{number}.t)"
        )
    many = snapshot(database)
    assert len(many.tables) == 120
    assert many.statements_sent == few


def test_scope_chooses_schemas_and_tables_by_glob(database: str, connect: Connect, snapshot: Snapshot) -> None:
    connect(database).execute(
        """
        CREATE SCHEMA one; CREATE SCHEMA one_more; CREATE SCHEMA two;
        CREATE TABLE one.a_b (); CREATE TABLE one.axb (); CREATE TABLE one_more.a_b (); CREATE TABLE two.a_b ();
        """
    )

    def names(**scope: tuple[str, ...]) -> set[tuple[str, str]]:
        return {(table.schema, table.name) for table in snapshot(database, **scope).tables}

    assert names(schemas=("one*",), exclude_schemas=("*_more",)) == {("one", "a_b"), ("one", "axb")}
    assert names(tables=("a_b",)) == {("one", "a_b"), ("one_more", "a_b"), ("two", "a_b")}
    assert names(tables=("two.a?b",)) == {("two", "a_b")}


def test_temporary_and_extension_tables_are_counted_not_shown(
    database: str, connect: Connect, snapshot: Snapshot
) -> None:
    connection = connect(database)
    connection.execute("CREATE TEMP TABLE mine (id int PRIMARY KEY)")
    connection.execute(
        "CREATE TABLE belongs (id int); CREATE EXTENSION pg_trgm; ALTER EXTENSION pg_trgm ADD TABLE belongs"
    )
    seen = snapshot(database)
    assert seen.tables == ()
    assert (seen.left_out.temporary, seen.left_out.extension_owned) == (1, 1)


def test_a_locked_table_is_reported_without_waiting(database: str, connect: Connect, snapshot: Snapshot) -> None:
    connection = connect(database)
    connection.execute("CREATE TABLE busy (a int, b text); CREATE INDEX busy_i ON busy (lower(b)) WHERE a > 1")
    connection.execute("CREATE TABLE calm (a int); CREATE INDEX calm_i ON calm (a)")
    connection.execute("BEGIN; ALTER TABLE busy ADD COLUMN c int")
    seen = snapshot(database)
    busy = next(table for table in seen.tables if table.name == "busy")
    assert (busy.locked, busy.sizes_estimated) == (True, True)
    assert not index_named(seen, "busy_i").texts_known
    assert index_named(seen, "calm_i").definition.startswith("CREATE INDEX calm_i ON public.calm")
    (skipped,) = [part for part in seen.skipped if part.part == "locked tables"]
    assert "public.busy" in skipped.why
    assert seen.collect_seconds < 5


def test_a_reader_in_the_queue_of_an_alter_table_does_not_wait(
    database: str, connect: Connect, snapshot: Snapshot
) -> None:
    """The ALTER TABLE waits for a reader, and everybody behind it waits too: all but us."""
    reader, admin = connect(database), connect(database)
    reader.execute("CREATE TABLE busy (a int); CREATE INDEX busy_i ON busy (a) WHERE a > 1")
    reader.execute("BEGIN; SELECT FROM busy")
    altering = Thread(target=connect(database).execute, args=("ALTER TABLE busy ADD COLUMN c int",))
    altering.start()
    _until_waiting(admin)
    seen = snapshot(database)
    reader.execute("COMMIT")
    altering.join()
    assert [table.locked for table in seen.tables] == [True]


def _until_waiting(connection: psycopg.Connection[Any]) -> None:
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    for _ in range(200):
        if connection.execute(query).fetchone() == (1,):
            return
        connection.execute("SELECT pg_sleep(0.01)")
    pytest.fail("the ALTER TABLE never came to wait")


def test_the_session_cannot_write(database: str) -> None:
    with (
        psycopg.connect(database) as connection,
        reading(connection, Timeouts()),
        pytest.raises(psycopg.errors.ReadOnlySqlTransaction),
        connection.transaction(),
    ):
        connection.execute("CREATE TABLE t ()")


def test_partitions_know_their_parents(database: str, connect: Connect, snapshot: Snapshot) -> None:
    connect(database).execute(
        """
        CREATE TABLE p (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
        CREATE INDEX p_at ON p (at);
        """
    )
    seen = snapshot(database)
    parent, part = (next(t for t in seen.tables if t.name == name) for name in ("p", "p1"))
    assert (parent.kind, part.kind, part.parent_oid) == ("partitioned", "table", parent.oid)
    assert index_named(seen, "p1_at_idx").parent_oid == index_named(seen, "p_at").oid


def test_a_plain_role_sees_the_indexes_and_is_told_what_it_cannot_see(
    postgres: PostgresServer, database: str, connect: Connect, snapshot: Snapshot
) -> None:
    connection = connect(database)
    connection.execute("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN")
    connection.execute("CREATE EXTENSION pg_stat_statements")
    connection.execute("CREATE TABLE secret (id int PRIMARY KEY)")
    name = connection.info.dbname
    try:
        seen = snapshot(postgres.dsn(name, user="plain"))
    finally:
        connection.execute("DROP ROLE plain")
    assert [index.name for index in seen.indexes] == ["secret_pkey"]
    assert seen.server.replicas_known is None
    assert all(part.mend for part in seen.skipped)


def test_a_statement_timeout_of_an_optional_part_leaves_the_rest(
    database: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(database).execute("CREATE TABLE t (id int PRIMARY KEY)")
    slow = {"builds": "SELECT pg_sleep(5)"}
    monkeypatch.setattr("dbvitals.collect.reader.load", lambda name: slow.get(name) or load(name))
    with psycopg.connect(database) as connection:
        seen = collect_catalog(connection, Scope(), Timeouts(statement=0.3))
    assert [index.name for index in seen.indexes] == ["t_pkey"]
    (skipped,) = [part for part in seen.skipped if part.part == "index builds"]
    assert "timeout" in skipped.why
