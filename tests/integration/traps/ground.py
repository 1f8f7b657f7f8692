"""A database full of traps, and the snapshot that was taken of it before anything was tried in it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import pytest
from msgspec.structs import replace
from psycopg import sql

from dbvitals.analyse.index_report import IndexReport, UnusedIndex
from dbvitals.analyse.indexes import analyse_indexes
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.collect.catalog import Scope, collect_catalog
from dbvitals.sandbox import PostgresServer
from dbvitals.settings import Timeouts
from dbvitals.snapshot import CatalogSnapshot
from tests.integration.traps.case import KeptCase, Trap
from tests.integration.traps.workbench import Connection, enter, install_extensions, lay, obstacle

LONG_AGO = timedelta(days=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A connection to the traps' database; which traps could not be laid there, and why."""

    connection: Connection
    snapshot: CatalogSnapshot
    obstacles: dict[str, str]
    failures: dict[str, psycopg.Error]

    def enter(self, trap: Trap) -> Connection:
        """Make a trap's schema the current one; skips the test when the server cannot hold the trap."""
        if trap.name in self.obstacles:
            pytest.skip(self.obstacles[trap.name])
        if trap.name in self.failures:
            raise self.failures[trap.name]
        enter(self.connection, trap)
        return self.connection


@contextmanager
def ground(server: PostgresServer, name: str, traps: Sequence[Trap]) -> Iterator[Ground]:
    """Lay traps in a database of their own, reset its counters, use what is to be used, and take the snapshot."""
    identifier = sql.Identifier(name)
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(identifier))
        try:
            with closing(psycopg.connect(server.dsn(name), autocommit=True, prepare_threshold=None)) as connection:
                yield _filled(connection, server.dsn(name), traps)
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def _filled(connection: Connection, dsn: str, traps: Sequence[Trap]) -> Ground:
    install_extensions(connection)
    obstacles: dict[str, str] = {}
    failures: dict[str, psycopg.Error] = {}
    for trap in traps:
        why = obstacle(connection, trap)
        if why is not None:
            obstacles[trap.name] = why
            continue
        try:
            lay(connection, trap)
        except psycopg.Error as error:
            failures[trap.name] = error
    laid = [trap for trap in traps if trap.name not in {*obstacles, *failures}]
    reset_and_use(connection, laid)
    return Ground(connection=connection, snapshot=snapshot(dsn), obstacles=obstacles, failures=failures)


def reset_and_use(connection: Connection, traps: Sequence[Trap]) -> None:
    """Zero the counters, then run what the traps want to be used, and let the server count it."""
    flush(connection)
    connection.execute("SELECT pg_stat_reset()")
    for trap in traps:
        for query in trap.uses if isinstance(trap, KeptCase) else ():
            enter(connection, trap)
            with connection.transaction(force_rollback=True):
                connection.execute("SET LOCAL enable_seqscan = off")
                connection.execute(query)
    flush(connection)


def flush(connection: Connection) -> None:
    """Let what the session has counted so far reach the counters."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    connection.execute("SELECT 1")


def snapshot(dsn: str) -> CatalogSnapshot:
    """What the collector sees of a database, by a connection of its own."""
    with closing(psycopg.connect(dsn, prepare_threshold=None)) as connection:
        return collect_catalog(connection, Scope(), Timeouts())


def aged(fresh: CatalogSnapshot) -> CatalogSnapshot:
    """The same snapshot, as if its counters had run long enough to be judged."""
    window = replace(fresh.server.window, since=fresh.server.taken_at - LONG_AGO)
    return replace(fresh, server=replace(fresh.server, window=window))


def report_of(seen: CatalogSnapshot) -> IndexReport:
    """The whole report on a snapshot, without declarations."""
    return analyse_indexes(seen, expected=None, thresholds=IndexThresholds(), duration_seconds=0.0, tool_version="0")


def unused_by_name(seen: CatalogSnapshot) -> Mapping[tuple[str, str], UnusedIndex]:
    """The report's unused indexes, by schema and name."""
    return {(entry.schema, entry.index): entry for entry in report_of(seen).unused_indexes}
