"""Counters: since when they run, and what they prove."""

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.analyse.unused import find_unused, made_during_window
from dbvitals.errors import ServerError
from dbvitals.sandbox import find_all_postgres, start_postgres
from dbvitals.snapshot import CatalogSnapshot
from tests.integration.collect.conftest import Snapshot

Connect = Callable[[str], psycopg.Connection[Any]]


@pytest.mark.parametrize("major", [15, 18])
def test_a_crash_of_one_backend_starts_a_new_window(major: int, snapshot: Snapshot) -> None:
    """Every counter is zeroed, yet pg_stat_database.stats_reset is NULL and the postmaster's start does not move."""
    binaries = next((found for found in find_all_postgres() if found.major == major), None)
    if binaries is None:
        pytest.skip(f"no PostgreSQL {major} on this machine")
    with start_postgres(binaries) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000)")
            connection.execute("SELECT FROM t WHERE id = 7")
        before = snapshot(server.dsn())
        time.sleep(1.1)
        with psycopg.connect(server.dsn()) as victim:
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                victim.execute("SELECT pg_sleep(1)")
        after = _once_it_answers(server.dsn(), snapshot)
    assert before.server.window.since is not None
    assert after.server.window.since is not None
    assert after.server.window.since >= before.server.window.since + timedelta(seconds=1)
    assert after.server.window.source == "statistics reset of the cluster, or a crash"


def _once_it_answers(dsn: str, snapshot: Snapshot) -> CatalogSnapshot:
    for _ in range(100):
        try:
            return snapshot(dsn)
        except (psycopg.OperationalError, ServerError):
            time.sleep(0.1)
    return snapshot(dsn)


def test_a_reset_of_the_database_starts_a_new_window(database: str, connect: Connect, snapshot: Snapshot) -> None:
    connect(database).execute("SELECT pg_stat_reset()")
    window = snapshot(database).server.window
    assert window.source == "statistics reset of the database"


def test_a_new_database_is_no_older_than_its_creation(database: str, snapshot: Snapshot) -> None:
    window = snapshot(database).server.window
    assert window.source == "creation of the database"


def test_an_index_made_after_the_writes_is_known_to_be_young(
    database: str, connect: Connect, snapshot: Snapshot
) -> None:
    connection = connect(database)
    connection.execute("CREATE TABLE t (id int PRIMARY KEY, a int); CREATE INDEX old_i ON t (a)")
    connection.execute("INSERT INTO t SELECT i, i % 97 FROM generate_series(1, 5000) AS i")
    connection.execute("CREATE INDEX young_i ON t (a, id)")
    connection.execute("SELECT pg_stat_force_next_flush(); SELECT 1")
    catalog = Catalog(snapshot(database))
    assert {i.name: made_during_window(catalog, i) for i in catalog.indexes if i.name != "t_pkey"} == {
        "old_i": False,
        "young_i": True,
    }
    verdicts = {u.index.name: u.kept_because for u in find_unused(catalog, IndexThresholds(min_observed_days=0))}
    assert verdicts["old_i"] == ()
    assert verdicts["young_i"] == ("too_young",)


def test_the_last_scan_is_known_from_16_on(database: str, connect: Connect, snapshot: Snapshot) -> None:
    connection = connect(database)
    connection.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 5000); ANALYZE t")
    connection.execute("SELECT FROM t WHERE id = 7; SELECT pg_stat_force_next_flush(); SELECT 1")
    seen = snapshot(database)
    (index,) = seen.indexes
    assert index.scans == 1
    assert (index.last_scan is not None) == (seen.server.major >= 16)
