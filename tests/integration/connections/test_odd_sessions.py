"""Sessions in states that are seldom seen, and slots that are kept for somebody else."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg.conninfo import conninfo_to_dict

from dbvitals.collect.activity import ProbeLimits, open_activity
from dbvitals.sandbox import find_all_postgres, start_postgres
from dbvitals.settings import Timeouts
from tests.integration.connections.crowd import EVERYBODY, PATIENCE, Crowd, report, target, until

FASTPATH = "fastpath function call"
READY = b"Z\x00\x00\x00\x05I"
PROTOCOL_3 = 196608


@contextmanager
def calling(dsn: str, function: int, argument: float) -> Iterator[None]:
    """A session that calls a function with one double by the protocol's own message, as large objects are read.

    Over the Unix socket, where nobody asks for a password.
    """
    told = conninfo_to_dict(dsn)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(f"{told['host']}/.s.PGSQL.{told['port']}")
        words = ("user", told["user"], "database", told["dbname"])
        start = struct.pack("!i", PROTOCOL_3) + b"".join(f"{word}\0".encode() for word in words) + b"\0"
        connection.sendall(struct.pack("!i", len(start) + 4) + start)
        answer = b""
        while not answer.endswith(READY):
            answer += connection.recv(4096)
        call = struct.pack("!ihhhidh", function, 1, 1, 1, 8, argument, 1)
        connection.sendall(b"F" + struct.pack("!i", len(call) + 4) + call)
        yield


def test_trap_7_a_fastpath_function_call_is_active(database: str, crowd: Crowd) -> None:
    admin = crowd.open(database, "admin")
    row = admin.execute("select 'pg_sleep(float8)'::regprocedure::oid::int").fetchone()
    assert row is not None
    with calling(database, row[0], 300.0):
        until(lambda: counts(database)[FASTPATH] == 1, "the call")
        summary = report(database).summary
        with open_activity(target(database), Timeouts(), EVERYBODY) as reader:
            probe = reader.probe(ProbeLimits(long_query=30, leak=10), 0.0)
        admin.execute(
            "select pg_terminate_backend(pid, 30000) from pg_stat_activity where datname = current_database()"
            " and state = 'fastpath function call'"
        )
    assert (summary.total_connections, summary.active_connections, summary.idle_connections) == (2, 1, 1)
    assert (summary.other_connections, summary.pool_busy_percent) == (0, 3.33)
    assert (probe.total, probe.active, probe.idle) == (2, 1, 1)


def counts(dsn: str) -> dict[str, int]:
    return {row.state: row.connections for row in report(dsn).by_state}


def test_trap_7_a_session_that_is_not_tracked_may_hold_back_vacuum(database: str, crowd: Crowd) -> None:
    session = crowd.open(database)
    session.execute("set track_activities = off")
    session.execute("begin")
    session.execute("select pg_current_xact_id()")
    found = report(database)
    assert [(row.state, row.transaction_seconds) for row in found.connections] == [("disabled", None)]
    assert session.info.backend_pid in {holder.pid for holder in found.horizon}


@pytest.mark.parametrize(("major", "settings", "supply"), [(15, {}, 17), (18, {"reserved_connections": "4"}, 13)])
def test_trap_40_slots_that_are_reserved_are_not_for_the_pool(
    major: int, settings: dict[str, str], supply: int
) -> None:
    """Since 16 there are slots for pg_use_reserved_connections, beside those for superusers."""
    binaries = next((found for found in find_all_postgres() if found.major == major), None)
    if binaries is None:
        pytest.skip(f"no PostgreSQL {major} on this machine")
    limits = {"max_connections": "20", "superuser_reserved_connections": "3"}
    with start_postgres(binaries, settings=limits | settings) as server:
        fleet = report(server.dsn()).fleet
    assert fleet is not None
    assert (fleet.supply, fleet.limited_by) == (supply, "max_connections less the reserved")
    assert fleet.demand == 30
