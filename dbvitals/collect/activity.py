"""Reads a server's sessions over one connection that is opened once, waits for nobody and leaves nothing behind."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from msgspec import structs
from psycopg import errors, sql

from dbvitals.collect import activity_rows as rows
from dbvitals.collect.client_ends import with_client_ends
from dbvitals.collect.postgres import connect, first_line
from dbvitals.collect.queries import load
from dbvitals.collect.reader import Reader
from dbvitals.errors import ServerError
from dbvitals.settings import PostgresTarget, Timeouts
from dbvitals.snapshot_activity import ActivitySnapshot, Probe

OWN_NAME = "dbvitals"
"""The application name of every connection of the tool; other runs of it are no load of the pool."""

PREPARE_AFTER = 2
"""Executions: a single look prepares nothing, a watch its queries."""

LOOKS_MEMORY = 4 << 20
"""Bytes that the server's process is made to keep for looks, see activity_probe_start.sql."""

_FULL = ("too many clients", "remaining connection slots", "too many connections for")
"""How a server says 53300. While connecting, libpq keeps the text only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolScope:
    """Whose sessions make up the pool: of a role, of applications; None means all. `excluded` names do not count."""

    role: str | None = None
    applications: tuple[str, ...] | None = None
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeLimits:
    """From when on a query is long and an idle transaction is a leak, in seconds."""

    long_query: float
    leak: float


def is_full(error: ServerError) -> bool:
    """Whether the server refused the login because it, the database or the role has no connection left."""
    return isinstance(error.__cause__, psycopg.Error) and any(sign in str(error.__cause__) for sign in _FULL)


class ActivityReader:
    """Reads one server's sessions. Raises ServerError when the connection is lost or a query takes too long."""

    def __init__(self, connection: psycopg.Connection, scope: PoolScope) -> None:
        self._connection = connection
        self._reader = Reader(connection, lambda part: None)
        self._scope = scope
        with _in_one_line(connection):
            (row,) = self._reader.rows("activity_server")
        # A pooler makes up the process that it names to its clients.
        self._place = rows.Place(
            host=connection.info.host,
            port=connection.info.port,
            pooled=row.pid != connection.info.backend_pid,
        )
        self.server = rows.server(row, self._place)
        self._pool = rows.PoolRule(self.server.database, scope.role, scope.applications, (OWN_NAME, *scope.excluded))
        self._look: tuple[ProbeLimits, bytes] | None = None

    @property
    def cost(self) -> tuple[int, float]:
        """Statements sent, and seconds until they were answered."""
        return self._reader.statements, self._reader.seconds

    def set_up(self, timeouts: Timeouts) -> None:
        """Set the session's time-outs; not through a pooler, where the next client would inherit them."""
        if self.server.pooled:
            return
        # Planning costs more than looking.
        self._connection.prepare_threshold = PREPARE_AFTER
        with _in_one_line(self._connection):
            for name, value in (
                ("statement_timeout", f"{round(timeouts.statement * 1000)}ms"),
                ("lock_timeout", f"{round(timeouts.lock * 1000)}ms"),
                ("search_path", ""),
                ("jit", "off"),
                ("timezone", "UTC"),
            ):
                self._connection.execute(sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))

    def probe(self, limits: ProbeLimits, seconds: float) -> Probe:
        """Count, in one row; `seconds` is the time since the watch began."""
        with _in_one_line(self._connection):
            look = self._look_for(limits)
            before = self._reader.seconds
            (row,) = self._reader.fetch(look)
        return rows.probe(row, seconds=seconds, took_seconds=self._reader.seconds - before)

    def _look_for(self, limits: ProbeLimits) -> bytes:
        """The cheap look with its values in it; worked out once, for a watch does not change its limits."""
        if self._look is None or self._look[0] != limits:
            # A pooler's server connection is others' as well: it stays as it is.
            memory = 0 if self.server.pooled else LOOKS_MEMORY
            (start,) = self._reader.rows("activity_probe_start", memory=memory)
            scope = self._scope
            values = {
                "database": start.database,
                "own": OWN_NAME,
                "role": scope.role,
                "applications": None if scope.applications is None else list(scope.applications),
                "excluded": list(scope.excluded) or None,
                "long": limits.long_query,
                "leak": limits.leak,
            }
            statement = sql.SQL(load("activity_probe")).format(**{name: sql.Literal(values[name]) for name in values})
            self._look = limits, statement.as_bytes(self._connection)
        return self._look[1]

    def waiting(self) -> ActivitySnapshot:
        """Everybody who does something or waits, and who holds what is waited for; idle sessions are left out."""
        return self._snapshot(with_idle=False)

    def everything(self) -> ActivitySnapshot:
        """All sessions, the prepared transactions, and who holds back VACUUM."""
        reader = self._reader
        snapshot = self._snapshot(with_idle=True)
        with _in_one_line(self._connection):
            (server,) = reader.rows("activity_server")
            prepared = reader.optional("activity_prepared", "prepared transactions", "run again")
            horizon = reader.optional("activity_horizon", "xmin horizon", "run again")
        return structs.replace(
            snapshot,
            server=rows.server(server, self._place),
            sessions=with_client_ends(self.server.port, snapshot.sessions),
            prepared=rows.prepared(prepared),
            horizon=rows.horizon(horizon),
            skipped=tuple(reader.skipped),
            statements=reader.statements,
            query_seconds=reader.seconds,
        )

    def _snapshot(self, *, with_idle: bool) -> ActivitySnapshot:
        reader = self._reader
        # A part that failed in an earlier look of the watch may be there again.
        reader.skipped.clear()
        with _in_one_line(self._connection):
            found = reader.rows("activity_sessions", with_idle=with_idle)
            waits = any(row.wait_event_type == "Lock" for row in found)
            lock_rows = reader.optional("activity_locks", "locks", "run again") if waits else []
        awaited, held = rows.locks(lock_rows)
        return ActivitySnapshot(
            server=self.server,
            sessions=rows.sessions(found, self._pool),
            awaited=awaited,
            held=held,
            excluded=sum(
                row.database == self.server.database and row.application_name in self._scope.excluded for row in found
            ),
            skipped=tuple(reader.skipped),
            statements=reader.statements,
            query_seconds=reader.seconds,
        )


@contextlib.contextmanager
def open_activity(target: PostgresTarget, timeouts: Timeouts, scope: PoolScope) -> Iterator[ActivityReader]:
    """Open the one connection; in autocommit, for in a transaction pg_stat_activity stands still.

    Raises ServerError; `is_full` tells whether it is because no connection is left.
    """
    with contextlib.closing(connect(target, timeouts)) as connection:
        connection.autocommit = True
        reader = ActivityReader(connection, scope)
        reader.set_up(timeouts)
        yield reader


@contextlib.contextmanager
def _in_one_line(connection: psycopg.Connection) -> Iterator[None]:
    info = connection.info
    place = f"{info.host}:{info.port}/{info.dbname}"
    try:
        yield
    except errors.QueryCanceled as error:
        raise ServerError(
            f"a query on {place} took longer than its time-out", mend="raise --statement-timeout"
        ) from error
    except psycopg.OperationalError as error:
        raise ServerError(
            f"the connection to {place} was lost: {first_line(error)}", mend="run again when the server is back"
        ) from error
