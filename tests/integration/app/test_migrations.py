"""Migrations on real servers: up, down, up again; equal to the models; safe beside traffic; lint-clean."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from app.db.migrate import downgrade, upgrade
from app.db.tables import metadata
from app.expectations import expectations
from app.migrations import steps
from dbvitals.sandbox import PostgresServer

ROOT = Path(__file__).parents[3]
SQUAWK = Path(sys.executable).with_name("squawk")

Connection = psycopg.Connection[tuple[object, ...]]
Connect = Callable[[str], Connection]
Dump = Callable[[str], list[str]]
Psql = Callable[[str, str], "subprocess.CompletedProcess[str]"]
MakeDatabase = Callable[[PostgresServer], str]


def revisions() -> list[tuple[str, str]]:
    """Every revision with the one below it, oldest first."""
    config = Config()
    config.set_main_option("script_location", "app:migrations")
    scripts = reversed(list(ScriptDirectory.from_config(config).walk_revisions()))
    return [(script.revision, str(script.down_revision or "base")) for script in scripts]


def alembic(*arguments: str) -> str:
    command = [sys.executable, "-m", "alembic", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def offline(direction: str, start: str, end: str) -> str:
    return alembic(direction, f"{start}:{end}", "--sql")


def shape(statements: list[str]) -> list[str]:
    """Those statements that make the models' tables and indexes, without who may do what with them, sorted."""
    return sorted(
        statement.removesuffix(";")
        for statement in statements
        if statement.startswith(("CREATE TABLE", "CREATE INDEX", "CREATE UNIQUE INDEX", "ALTER TABLE ONLY"))
        and "ROW LEVEL SECURITY" not in statement
        and "public.audit_keys" not in statement  # the key of the audit trail is no model
    )


OFFLINE = [("upgrade", below, revision) for revision, below in revisions()]
OFFLINE += [("downgrade", revision, below) for revision, below in revisions()]


def indexes(connection: Connection) -> dict[object, tuple[object, object]]:
    """Name -> (oid, whether it is valid), of all indexes on the hotel's tables."""
    rows = connection.execute(
        "select c.relname, c.oid, i.indisvalid from pg_index i join pg_class c on c.oid = i.indexrelid"
        " where c.relnamespace = 'public'::regnamespace"
    ).fetchall()
    return {name: (oid, valid) for name, oid, valid in rows}


def revision_of(connection: Connection) -> list[tuple[object, ...]]:
    return connection.execute("select version_num from alembic_version").fetchall()


def test_up_down_and_up_again_ends_where_it_began(database: str, dump: Dump) -> None:
    empty = dump(database)
    upgrade(database)
    full = dump(database)
    downgrade(database, "base")
    assert dump(database) == empty
    upgrade(database)
    assert dump(database) == full != empty


def test_every_revision_can_be_taken_back(database: str, dump: Dump) -> None:
    for revision, below in revisions():
        before = dump(database)
        upgrade(database, revision)
        downgrade(database, below)
        assert dump(database) == before
        upgrade(database, revision)


def test_models_create_what_migrations_create(
    migrated: str, postgres: PostgresServer, make_database: MakeDatabase, dump: Dump
) -> None:
    created = make_database(postgres)
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(created), poolclass=NullPool)
    metadata.create_all(engine)
    assert dump(created) == dump(migrated)


def test_expectations_declare_what_migrations_create(
    migrated: str, postgres: PostgresServer, make_database: MakeDatabase, connect: Connect, dump: Dump
) -> None:
    declared = make_database(postgres)
    for statement in expectations.statements:
        connect(declared).execute(statement)
    assert sorted(shape(dump(declared))) == sorted(shape(dump(migrated))) != []


def test_script_makes_the_same_schema_as_the_migrations(
    migrated: str,
    postgres: PostgresServer,
    make_database: MakeDatabase,
    psql: Psql,
    dump: Dump,
    connect: Connect,
) -> None:
    scripted = make_database(postgres)
    done = psql(scripted, alembic("upgrade", "head", "--sql"))
    assert (done.returncode, done.stderr) == (0, "")
    assert dump(scripted) == dump(migrated)
    assert revision_of(connect(scripted)) == revision_of(connect(migrated))


def test_script_stops_at_an_index_that_an_interrupted_build_left(database: str, psql: Psql, connect: Connect) -> None:
    upgrade(database, "0001")
    session = connect(database)
    session.execute("create index idx_locks_acquired_at on locks (acquired_at)")
    session.execute("update pg_index set indisvalid = false where indexrelid = 'idx_locks_acquired_at'::regclass")
    done = psql(database, offline("upgrade", "0001", "0002"))
    assert done.returncode != 0
    assert "invalid indexes, left by an interrupted build: idx_locks_acquired_at" in done.stderr
    assert revision_of(session) == [("0001",)]


def test_command_line_migrates_the_database_it_is_given(database: str, connect: Connect) -> None:
    alembic("-x", f"dsn={database}", "upgrade", "head")
    assert revision_of(connect(database)) == [(revisions()[-1][0],)]


@pytest.mark.parametrize(("direction", "start", "end"), OFFLINE)
def test_every_step_limits_its_wait_for_locks(direction: str, start: str, end: str) -> None:
    script = offline(direction, start, end)
    body = script[script.index(f"-- Running {direction}") :]
    first = body.split(";")[1 if "COMMIT;\n\nSET" in body else 0]
    assert any(f"lock_timeout = '{limit}'" in first for limit in (steps.LOCK_TIMEOUT, steps.CONCURRENT_LOCK_TIMEOUT))


@pytest.mark.parametrize(("direction", "start", "end"), OFFLINE)
def test_every_step_is_clean_under_squawk(direction: str, start: str, end: str) -> None:
    # To drop what a revision made is what its downgrade is for.
    allowed = (
        ["--exclude=ban-drop-table,ban-drop-function,ban-drop-column,ban-drop-sequence"]
        if direction == "downgrade"
        else []
    )
    script = offline(direction, start, end)
    command = [str(SQUAWK), "--pg-version=15", "--reporter=gcc", *allowed, "--stdin-filepath=step.sql"]
    done = subprocess.run(command, input=script, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_migration_gives_up_instead_of_queueing_behind_a_long_transaction(
    database: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "LOCK_TIMEOUT", "200ms")
    upgrade(database, "0001")
    reader, other = connect(database), connect(database)
    with reader.transaction():
        reader.execute("select count(*) from sessions")
        with pytest.raises(OperationalError) as caught:
            downgrade(database, "base")
        assert isinstance(caught.value.orig, psycopg.errors.LockNotAvailable)
        other.execute("set lock_timeout = '1s'")
        assert other.execute("select count(*) from locks, sessions").fetchone() == (0,)
    assert revision_of(other) == [("0001",)]
    downgrade(database, "base")


def wait_for_blocked_build(connection: Connection, table: str) -> int:
    """Wait until an index build on the table waits for a lock; the process id of its backend."""
    end = monotonic() + 30
    while monotonic() < end:
        row = connection.execute(
            "select pid from pg_stat_activity where wait_event_type = 'Lock'"
            " and query ~ %s and datname = current_database()",
            [f"^CREATE (UNIQUE )?INDEX CONCURRENTLY .* ON {table} "],
        ).fetchone()
        if row is not None and isinstance(row[0], int):
            return row[0]
        sleep(0.02)
    raise AssertionError(f"no index build on {table} came to wait")


def test_interrupted_index_build_heals_when_run_again(database: str, connect: Connect) -> None:
    upgrade(database, "0001")
    writer, watcher = connect(database), connect(database)
    with ThreadPoolExecutor(1) as pool, writer.transaction():
        writer.execute("lock table audit_logs in row exclusive mode")
        running = pool.submit(upgrade, database)
        watcher.execute("select pg_terminate_backend(%s)", [wait_for_blocked_build(watcher, "audit_logs")])
        with pytest.raises(SQLAlchemyError):
            running.result(timeout=30)
    interrupted = indexes(watcher)
    leftover = "idx_audit_logs_tenant_id_timestamp"
    assert [name for name, (_, valid) in interrupted.items() if not valid] == [leftover]
    assert revision_of(watcher) == [("0001",)]

    upgrade(database)
    healed = indexes(watcher)
    assert all(valid for _, valid in healed.values())
    assert healed[leftover] != interrupted[leftover]
    finished = "idx_sessions_tenant_id_created_at"
    assert healed[finished] == interrupted[finished], "an index that was finished is not built twice"
    declared = {index.name for table in metadata.tables.values() for index in table.indexes}
    assert declared <= healed.keys()


def test_indexes_are_built_beside_running_writers(database: str, connect: Connect) -> None:
    upgrade(database, "0001")
    writer, other = connect(database), connect(database)
    with ThreadPoolExecutor(1) as pool:
        with writer.transaction():
            writer.execute("insert into tenants (name) values ('Hotel Miramar')")
            writer.execute(
                "insert into locks (tenant_id, resource, owner, expires_at)"
                " select id, 'room:101', 'desk', now() + interval '1 hour' from tenants"
            )
            running = pool.submit(upgrade, database)
            wait_for_blocked_build(other, "locks")
            other.execute("set lock_timeout = '1s'")
            other.execute("insert into tenants (name) values ('Hotel Bellavista')")
        running.result(timeout=30)
    assert all(valid for _, valid in indexes(other).values())
