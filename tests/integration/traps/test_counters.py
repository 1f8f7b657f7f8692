"""Zero scans that prove nothing: counters that were lost, are young, are not kept, or are another node's."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

import psycopg
import pytest

from dbvitals.sandbox import PostgresServer, start_postgres
from dbvitals.snapshot import CatalogSnapshot, IndexInfo
from tests.integration.traps.ground import aged, flush, snapshot, unused_by_name
from tests.integration.traps.workbench import Connection

TABLE = "CREATE TABLE t (a int, s text)"
ROWS = "INSERT INTO t SELECT i % 40, md5(i::text) FROM generate_series(1, 2000) i"
INDEX = "CREATE INDEX idx_t_a ON t (a)"
SCAN = "SELECT count(*) FROM t WHERE a = 7"
RECOVERY_SECONDS = 30


@pytest.fixture(scope="module")
def own_server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """A server that a test may crash."""
    # What a test has committed must outlive the crash.
    with start_postgres(postgres.binaries, settings={"synchronous_commit": "on"}) as server:
        yield server


@pytest.fixture
def own_database(own_server: PostgresServer) -> Iterator[str]:
    with closing(psycopg.connect(own_server.dsn(), autocommit=True)) as connection:
        connection.execute("CREATE DATABASE own TEMPLATE template0")
    yield own_server.dsn("own")
    with closing(psycopg.connect(own_server.dsn(), autocommit=True)) as connection:
        connection.execute("DROP DATABASE own WITH (FORCE)")


def opened(dsn: str) -> "closing[Connection]":
    return closing(psycopg.connect(dsn, autocommit=True, prepare_threshold=None))


def fill(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(statement)
        flush(connection)


def now(connection: Connection) -> datetime:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def index_of(seen: CatalogSnapshot) -> IndexInfo:
    (index,) = seen.indexes
    return index


def window_start(seen: CatalogSnapshot) -> datetime:
    assert seen.server.window.since is not None
    return seen.server.window.since


def test_control_an_old_index_without_scans_is_droppable(own_database: str) -> None:
    with opened(own_database) as connection:
        fill(connection, TABLE, INDEX, ROWS)
    assert unused_by_name(aged(snapshot(own_database)))["public", "idx_t_a"].droppable


def test_crash_of_a_backend_makes_the_counters_young(own_database: str) -> None:
    with opened(own_database) as connection:
        fill(connection, TABLE, INDEX, ROWS, "SET enable_seqscan = off", SCAN)
        before = snapshot(own_database)
        assert index_of(before).scans > 0
        crashed_at = now(connection)
        os.kill(connection.info.backend_pid, signal.SIGKILL)
    after = snapshot_after_recovery(own_database)
    assert index_of(after).scans == 0, "the crash did not lose the counters: the test shows nothing"
    assert window_start(before) < crashed_at <= window_start(after)
    assert "too_young" in unused_by_name(after)["public", "idx_t_a"].kept_because


def snapshot_after_recovery(dsn: str) -> CatalogSnapshot:
    deadline = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            with opened(dsn) as connection:
                connection.execute("SELECT 1")
            return snapshot(dsn)
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "the server does not come back"
            time.sleep(0.05)


def test_reset_makes_the_counters_young(own_database: str) -> None:
    with opened(own_database) as connection:
        fill(connection, TABLE, INDEX, ROWS, "SET enable_seqscan = off", SCAN)
        before = snapshot(own_database)
        reset_at = now(connection)
        connection.execute("SELECT pg_stat_reset()")
    after = snapshot(own_database)
    assert (index_of(before).scans, index_of(after).scans) == (1, 0)
    assert window_start(before) < reset_at <= window_start(after)
    assert unused_by_name(after)["public", "idx_t_a"].kept_because == ("too_young",)


def test_reset_of_one_index_makes_it_young(own_database: str) -> None:
    with opened(own_database) as connection:
        fill(connection, TABLE, INDEX, ROWS, "SET enable_seqscan = off", SCAN)
        connection.execute("SELECT pg_stat_reset_single_table_counters('idx_t_a'::regclass)")
    entry = unused_by_name(aged(snapshot(own_database)))["public", "idx_t_a"]
    assert entry.kept_because == ("too_young",)


def test_index_younger_than_the_counters_is_too_young(own_database: str) -> None:
    with opened(own_database) as connection:
        fill(connection, TABLE, ROWS, INDEX)
    entry = unused_by_name(aged(snapshot(own_database)))["public", "idx_t_a"]
    assert entry.kept_because == ("too_young",)


def test_counters_that_are_not_kept_prove_nothing(own_database: str) -> None:
    with opened(own_database) as connection:
        fill(connection, TABLE, INDEX, ROWS, "ALTER DATABASE own SET track_counts = off")
    with opened(own_database) as connection:
        fill(connection, "SET enable_seqscan = off", SCAN)
    seen = snapshot(own_database)
    assert not seen.server.window.counting
    assert index_of(seen).scans == 0, "the scan was counted: the test shows nothing"
    assert "too_young" in unused_by_name(aged(seen))["public", "idx_t_a"].kept_because


def test_standby_that_was_not_looked_at_may_use_the_index(own_database: str) -> None:
    with opened(own_database) as connection:
        fill(connection, TABLE, INDEX, ROWS)
        connection.execute("SELECT pg_create_physical_replication_slot('standby')")
        try:
            entry = unused_by_name(aged(snapshot(own_database)))["public", "idx_t_a"]
        finally:
            connection.execute("SELECT pg_drop_replication_slot('standby')")
    assert entry.kept_because == ("replica_not_seen",)


def test_login_that_may_not_see_standbys_judges_nothing(own_server: PostgresServer, own_database: str) -> None:
    with opened(own_database) as connection:
        fill(connection, TABLE, INDEX, ROWS, "CREATE ROLE plain LOGIN")
        try:
            entry = unused_by_name(aged(snapshot(own_server.dsn("own", user="plain"))))["public", "idx_t_a"]
        finally:
            connection.execute("DROP ROLE plain")
    assert "replica_not_seen" in entry.kept_because


def test_looking_at_the_database_counts_no_scan(own_database: str) -> None:
    with opened(own_database) as connection:
        fill(connection, TABLE, INDEX, ROWS, "VACUUM ANALYZE t")
    for _ in range(3):
        assert index_of(snapshot(own_database)).scans == 0
