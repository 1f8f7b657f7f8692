"""Sessions of all kinds on a real server, and looks at them."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from dbvitals.analyse.connection_report import Blocker, ConnectionReport
from dbvitals.analyse.connection_thresholds import ConnectionThresholds
from dbvitals.analyse.connections import Question, analyse_connections
from dbvitals.analyse.fleet import PoolConfig
from dbvitals.collect.activity import PoolScope, open_activity
from dbvitals.settings import PostgresTarget, Timeouts
from dbvitals.snapshot_activity import ActivitySnapshot

Connection = psycopg.Connection[tuple[Any, ...]]

EVERYBODY = PoolScope()
PATIENCE = 30.0


def target(dsn: str) -> PostgresTarget:
    return PostgresTarget(tuple(sorted((name, str(value)) for name, value in conninfo_to_dict(dsn).items())))


def look(dsn: str, scope: PoolScope = EVERYBODY) -> ActivitySnapshot:
    with open_activity(target(dsn), Timeouts(), scope) as reader:
        return reader.everything()


def ask(**changes: Any) -> Question:
    asked: dict[str, Any] = {
        "pool": PoolConfig(size=10, max_overflow=20),
        "thresholds": ConnectionThresholds(),
        "tool_version": "0",
        "duration_seconds": 0.0,
    }
    return Question(**(asked | changes))


def report(dsn: str, scope: PoolScope = EVERYBODY, **changes: Any) -> ConnectionReport:
    return analyse_connections(look(dsn, scope), ask(**changes))


def rules(found: ConnectionReport) -> set[str]:
    return {finding.rule for finding in found.findings}


def nodes(trees: Iterable[Blocker]) -> list[Blocker]:
    found, rest = [], list(trees)
    while rest:
        node = rest.pop()
        found.append(node)
        rest.extend(node.blocks)
    return found


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.02)


class Crowd:
    """Opens sessions, and ends all of them, however stuck, when the test is over."""

    def __init__(self) -> None:
        self._sessions: list[Connection] = []
        self._threads: list[threading.Thread] = []

    def open(self, dsn: str, application: str = "hotel", **parameters: Any) -> Connection:
        connection: Connection = psycopg.connect(dsn, autocommit=True, application_name=application, **parameters)
        self._sessions.append(connection)
        return connection

    def start(self, connection: Connection, statement: str) -> int:
        """Run a statement that takes long, on a thread; gives the session's process id."""

        def run() -> None:
            # It is ended with the crowd.
            with contextlib.suppress(psycopg.Error):
                connection.execute(statement.encode())

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._threads.append(thread)
        return connection.info.backend_pid

    def stuck(self, connection: Connection, statement: str, admin: Connection) -> int:
        """The same, and wait until the server shows that it waits for a lock."""
        pid = self.start(connection, statement)
        until(lambda: waits(admin, pid), f"{statement} waiting for a lock")
        return pid

    @staticmethod
    def local_port(connection: Connection) -> int:
        with socket.socket(fileno=os.dup(connection.fileno())) as found:
            return int(found.getsockname()[1])

    def close(self) -> None:
        """Cancelling takes no connection, so it works on a full server, and behind a pooler."""
        for connection in self._sessions:
            with contextlib.suppress(psycopg.Error):
                connection.cancel_safe()
        for thread in self._threads:
            thread.join(PATIENCE)
        for connection in self._sessions:
            connection.close()


def waits(admin: Connection, pid: int) -> bool:
    row = admin.execute("select cardinality(pg_blocking_pids(%s)) > 0", [pid]).fetchone()
    return bool(row and row[0])


def edges(admin: Connection) -> set[tuple[int, int]]:
    """The truth: who is blocked by whom."""
    rows = admin.execute(
        "select pid, unnest(pg_blocking_pids(pid)) from pg_stat_activity where backend_type = 'client backend'"
    )
    return {(victim, blocker) for victim, blocker in rows}
