"""The hotel's data and traffic on real servers."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import psycopg
import pytest
import redis
from rich.console import Console

from app.db.migrate import upgrade
from app.db.tables import metadata
from dbvitals.errors import SandboxError
from demo import processes, service
from demo.desk import TrafficError
from demo.faults import FAULTS, plant
from demo.load import load
from demo.run import Plan, fill
from demo.scale import SMALL, Scale
from demo.servers import Servers, running
from demo.stages import Stages
from demo.traffic import make_calls, run

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
TODAY = date(2026, 11, 23)
TINY = Scale(audit_logs=3_000, sessions=1_000, identifiers=1_000, locks=120)
ROWS = {
    "tenants": 60,
    "tenant_user_identifiers": TINY.identifiers,
    "sessions": TINY.sessions,
    "audit_logs": TINY.audit_logs,
    "locks": TINY.locks,
}

Rows = list[tuple[Any, ...]]


def ignore(_: str) -> None:
    """Nobody listens."""


def ask(dsn: str, query: str, *values: object) -> Rows:
    with psycopg.connect(dsn, autocommit=True) as connection:
        return connection.execute(query.encode(), values or None).fetchall()


@pytest.fixture
def hotel(database: str) -> str:
    """A loaded hotel on either server: keys, CHECKs and unique indexes have accepted every row."""
    upgrade(database)
    load(database, TINY, 1, UNTIL, ignore)
    return database


def test_every_row_arrives_and_is_counted(database: str) -> None:
    upgrade(database)
    heard: list[str] = []
    assert load(database, TINY, 1, UNTIL, heard.append) == sum(ROWS.values())
    counted = "select relname, reltuples::int from pg_class where relkind = 'r' and relname = any(%s)"
    tables = ask(database, counted, list(ROWS))
    assert dict(tables) == ROWS
    assert f"loading locks: {TINY.locks} of {TINY.locks} rows" in heard


def test_statistics_are_gathered_and_pages_are_visible(hotel: str) -> None:
    assert ask(hotel, "select count(*) from pg_stats where tablename = 'audit_logs' and attname = 'request_id'") == [
        (1,)
    ]
    assert ask(hotel, "select relallvisible = relpages from pg_class where relname = 'audit_logs'") == [(True,)]


@pytest.fixture(scope="module")
def busy() -> Iterator[Servers]:
    """The small hotel after its day of traffic."""
    plan = Plan(scale=SMALL, seed=1, faults=(), redis_faults=(), keep=False, serve=False)
    with running(None) as servers:
        fill(servers, plan, Stages(Console(quiet=True)))
        yield servers


def test_the_traffic_scans_every_declared_index_of_a_table_that_is_worth_one(busy: Servers) -> None:
    """The planner reads a table of a few rows as a whole, whatever its indexes."""
    declared = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    query = (
        "select i.indexrelname::text, i.idx_scan from pg_stat_user_indexes i"
        " join pg_stat_user_tables t using (relid) where t.n_live_tup >= 1000"
    )
    scans = dict[str, int](ask(busy.dsn, query))
    worth = declared & scans.keys()
    assert len(worth) >= 13
    assert {name for name in worth if not scans[name]} == set()


def test_the_statistics_know_the_services_statements(busy: Servers) -> None:
    started = ask(
        busy.dsn,
        "select sum(calls), sum(rows) from pg_stat_statements where query like 'INSERT INTO sessions%'"
        " and dbid = (select oid from pg_database where datname = current_database())",
    )
    assert len(started) == 1
    calls, rows = started[0]
    assert calls >= rows > 100


def test_the_service_leaves_conversations_bookings_and_their_audit_trail(busy: Servers) -> None:
    assert ask(busy.dsn, f"select count(*) > {SMALL.sessions} from sessions") == [(True,)]
    states = dict[str, int](ask(busy.dsn, "select state, count(*) from room_holds group by state"))
    assert states["confirmed"] > 20
    changes = "select count(*) from audit_logs where event_type = 'row.insert' and resource like 'room_holds/%'"
    assert ask(busy.dsn, changes) == ask(busy.dsn, "select count(*) from room_holds")
    assert ask(busy.dsn, "select count(*) from audit_logs where event_type = 'pms.failed'") > [(0,)]
    assert ask(busy.dsn, "select bool_and(released_at >= acquired_at) from locks where released_at is not null") == [
        (True,)
    ]


def test_the_service_leaves_its_families_in_redis_with_hits_and_misses_and_nothing_for_ever(busy: Servers) -> None:
    with redis.Redis.from_url(busy.redis.url, decode_responses=True) as client:
        stats = client.info("stats")
        keys = [str(key) for key in client.scan_iter(count=1_000)]
        lasting = [key for key in keys if client.ttl(key) == -1]
    families = {key.partition(":")[0] for key in keys}
    assert families >= {"availability", "session", "rate_limit", "circuit_breaker", "tenant", "pms_cache"}
    assert lasting == []
    assert stats["keyspace_hits"] > 500
    assert stats["keyspace_misses"] > 500


def test_the_service_is_gone_with_its_connections_and_files(busy: Servers) -> None:
    connected = "select count(*) from pg_stat_activity where application_name = 'agente-hotelero'"
    assert ask(busy.dsn, connected) == [(0,)]
    assert list(Path(gettempdir()).glob("dbvitals-demo-*")) == []


def test_an_answer_that_should_not_be_ends_the_traffic_in_one_line(busy: Servers) -> None:
    calls = make_calls(SMALL, 2, UNTIL, TODAY)  # another seed's hotels, which this database does not have
    with service.running(busy, 1) as running_service, pytest.raises(TrafficError, match=r"tokens: 404 Not Found$"):
        run(running_service, calls)


def test_a_service_that_cannot_start_says_why(busy: Servers, tmp_path: Path) -> None:
    said = r"^the service ended while it started: app: .*postgres_pool_size$"
    wrong = {"POSTGRES_POOL_SIZE": "none"}
    with (
        processes.running("the service", ["app", "serve"], wrong, tmp_path) as program,
        pytest.raises(SandboxError, match=said),
    ):
        program.wait_for(lambda: None)


def test_every_fault_can_be_planted(hotel: str) -> None:
    due = list(FAULTS)
    heard: list[str] = []
    plant(hotel, due, heard.append)
    assert heard == [fault.what for fault in due]
    assert ask(hotel, "select indexrelid::regclass::text from pg_index where not indisvalid") == [
        ("idx_sessions_identifier_id",)
    ]
    assert ask(hotel, "select n_tup_del > 0 from pg_stat_user_tables where relname = 'sessions'") == [(True,)]


def test_a_failure_that_is_not_the_fault_is_not_hidden(database: str) -> None:
    invalid = next(fault for fault in FAULTS if fault.fails)
    with pytest.raises(psycopg.errors.UndefinedTable):
        plant(database, [invalid], ignore)
