"""PgBouncer in transaction mode: who waits there, and which client is behind which session."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from dbvitals.cli.pool_look import console_target
from dbvitals.collect.pgbouncer import read_pgbouncer
from dbvitals.errors import ServerError
from dbvitals.sandbox import PostgresServer
from dbvitals.settings import Timeouts
from dbvitals.snapshot_activity import PgBouncerSnapshot
from dbvitals.snapshot_pool import Durations, HeldConnection, PoolObservation, PoolState, PoolWindow
from tests.conftest import MakeDatabase
from tests.integration.connections.bouncer import Bouncer, bouncer
from tests.integration.connections.crowd import Crowd, look, report, rules, until


@pytest.fixture(scope="module")
def bounced(pg15: PostgresServer) -> Iterator[Bouncer]:
    with bouncer(pg15) as running:
        yield running


@pytest.fixture
def dsn(pg15: PostgresServer, make_database: MakeDatabase) -> str:
    return make_database(pg15)


def name_of(dsn: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(dsn)["dbname"])


def console(bounced: Bouncer, dsn: str, user: str = "watcher") -> PgBouncerSnapshot:
    return read_pgbouncer(console_target(bounced.dsn("pgbouncer", user)), Timeouts(), name_of(dsn))


def through(bounced: Bouncer, dsn: str, crowd: Crowd, application: str) -> psycopg.Connection[tuple[Any, ...]]:
    return crowd.open(bounced.dsn(name_of(dsn)), application, prepare_threshold=None)


@pytest.fixture
def crowd(bounced: Bouncer) -> Iterator[Crowd]:
    """Its sessions go before the bouncer does."""
    made = Crowd()
    yield made
    made.close()


def test_traps_41_42_who_waits_is_seen_while_they_wait(bounced: Bouncer, dsn: str, crowd: Crowd) -> None:
    for number in range(3):
        busy = through(bounced, dsn, crowd, f"busy-{number}")
        busy.execute("begin")
        busy.execute("select 1")
    for number in range(2):
        crowd.start(through(bounced, dsn, crowd, f"waits-{number}"), "select 1")
    until(lambda: waiting(console(bounced, dsn), dsn) == (2, True), "two clients waiting for a second")
    seen = console(bounced, dsn)
    found = report(dsn, bouncers=(seen,))
    assert found.summary.waiting_connections == 2
    assert found.summary.blocked_connections == 0
    assert "CON012" in rules(found)


def waiting(seen: PgBouncerSnapshot, dsn: str) -> tuple[int | None, bool]:
    (pool,) = [pool for pool in seen.pools if pool.database == name_of(dsn)]
    return pool.clients_waiting, (pool.max_wait_seconds or 0) > 1


def test_the_client_behind_a_session_is_named_and_its_code_site_joined(
    bounced: Bouncer, dsn: str, crowd: Crowd
) -> None:
    """The process id that the client knows is PgBouncer's invention; its port leads to the session."""
    client = through(bounced, dsn, crowd, "service-7")
    client.execute("begin")
    row = client.execute("select pg_backend_pid()").fetchone()
    assert row is not None
    (pid,) = row
    assert client.info.backend_pid != pid
    local_port = crowd.local_port(client)
    observation = observed(client.info.backend_pid, local_port)
    found = report(dsn, bouncers=(console(bounced, dsn),), observations=(observation,))
    (session,) = [row for row in found.connections if row.pid == pid]
    assert session.via == f"127.0.0.1:{local_port} (service-7)"
    assert session.held_by is not None
    assert session.held_by.site == "app/services/leases.py:88 renew"


def observed(pid: int, port: int) -> PoolObservation:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    nothing = Durations(bounds=(1.0,), counts=(0, 0))
    held = HeldConnection(
        backend_pid=pid,
        local_port=port,
        checked_out_at=now,
        seconds=48.0,
        site="app/services/leases.py:88 renew",
        route="POST /v1/holds",
    )
    return PoolObservation(
        schema_version="1.0",
        application="hotel",
        process=1,
        taken_at=now,
        pool=PoolState(name="main", size=10, max_overflow=20, checked_out=1, idle=0, pending=0, timeouts_total=0),
        window=PoolWindow(
            since=now,
            seconds=60.0,
            checkouts=0,
            timeouts=0,
            wait=nothing,
            hold=nothing,
            create=nothing,
            arrivals_per_second_peak=0.0,
        ),
        connections=(held,),
    )


def test_trap_43_the_console_is_read_again_and_again(bounced: Bouncer, dsn: str) -> None:
    """psycopg prepares what it sends for the sixth time, which the console refuses."""
    with psycopg.connect(bounced.dsn("pgbouncer", "watcher"), autocommit=True, prepare_threshold=None) as connection:
        from dbvitals.collect.pgbouncer import read_console

        for _ in range(8):
            seen = read_console(connection, "here", name_of(dsn))
    assert seen.version.split(".")[0] == "1"


def test_trap_43_a_login_without_the_right_is_one_clear_line(bounced: Bouncer, dsn: str) -> None:
    with pytest.raises(ServerError) as caught:
        console(bounced, dsn, "guest")
    assert "stats_users" in caught.value.mend


def test_trap_45_a_look_through_a_pooler_says_so_and_leaves_no_setting_behind(
    bounced: Bouncer, dsn: str, crowd: Crowd
) -> None:
    snapshot = look(bounced.dsn(name_of(dsn)))
    assert snapshot.server.pooled
    assert [part.part for part in report(bounced.dsn(name_of(dsn))).incomplete] == ["direct connection"]
    row = through(bounced, dsn, crowd, "next").execute("show statement_timeout").fetchone()
    assert row == ("0",)
