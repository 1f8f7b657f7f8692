"""The hotel's data and traffic on real servers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import redis

from app.db.migrate import upgrade
from app.db.tables import metadata
from dbvitals.sandbox import PostgresServer, RedisServer
from demo import cache, service, traffic
from demo.faults import FAULTS, plant
from demo.load import load
from demo.queries import load as load_sql
from demo.scale import SMALL, Scale

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
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
def busy(pg18: PostgresServer) -> Iterator[str]:
    """The small hotel after its day of traffic."""
    name = "demo_busy"
    with psycopg.connect(pg18.dsn(), autocommit=True) as connection:
        connection.execute(f"create database {name} template template0".encode())
    dsn = pg18.dsn(name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(load_sql("setup/extension"))
    upgrade(dsn)
    load(dsn, SMALL, 1, UNTIL, ignore)
    traffic.run(dsn, traffic.make_calls(SMALL, 1, UNTIL))
    service.run(dsn, 1)
    yield dsn
    with psycopg.connect(pg18.dsn(), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)".encode())


def test_the_traffic_scans_every_declared_index_of_a_table_that_is_worth_one(busy: str) -> None:
    """The planner reads a table of a few rows as a whole, whatever its indexes."""
    declared = {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    query = (
        "select i.indexrelname::text, i.idx_scan from pg_stat_user_indexes i"
        " join pg_stat_user_tables t using (relid) where t.n_live_tup >= 1000"
    )
    scans = dict[str, int](ask(busy, query))
    worth = declared & scans.keys()
    assert len(worth) >= 13
    assert {name: scans[name] for name in worth if scans[name] < 10} == {}


def test_the_statistics_know_the_services_statements(busy: str) -> None:
    resolved = ask(
        busy,
        "select calls, rows from pg_stat_statements where query like '%identifier_value = $1%'"
        " and dbid = (select oid from pg_database where datname = current_database())",
    )
    assert len(resolved) == 1
    calls, rows = resolved[0]
    assert calls == rows > 1_000


def test_the_traffic_changes_what_the_service_changes(busy: str) -> None:
    assert ask(busy, f"select count(*) > {SMALL.audit_logs} from audit_logs") == [(True,)]
    assert ask(busy, f"select count(*) > {SMALL.sessions} from sessions") == [(True,)]
    assert ask(busy, f"select count(*) = {SMALL.locks + service.GUESTS} from locks") == [(True,)]
    assert ask(busy, "select count(*), min(state) from room_holds") == [(service.GUESTS, "confirmed")]
    assert ask(busy, "select bool_and(released_at >= acquired_at) from locks where released_at is not null") == [
        (True,)
    ]


def test_the_traffic_leaves_no_connection(busy: str) -> None:
    assert ask(busy, f"select 1 from pg_stat_activity where application_name = '{traffic.APPLICATION}'") == []


def test_traffic_that_fails_ends_all_its_connections(database: str) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        traffic.run(database, traffic.make_calls(SMALL, 1, UNTIL))
    assert ask(database, f"select 1 from pg_stat_activity where application_name = '{traffic.APPLICATION}'") == []


def test_every_fault_can_be_planted(hotel: str) -> None:
    due = [fault for fault in FAULTS if fault.planted != "with the traffic"]
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


def test_redis_holds_all_families_and_has_seen_hits_and_misses(redis_server: RedisServer) -> None:
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        client.flushall()
        client.config_resetstat()
        cache.run(redis_server.url, 1)
        stats = client.info("stats")
        families = {str(key).partition(":")[0] for key in client.scan_iter(count=1_000)}
        lasting = [key for key in client.scan_iter(count=1_000) if client.ttl(str(key)) == -1]
    assert families == {"availability", "session", "lock", "rate_limit", "circuit_breaker", "tenant", "pms_cache"}
    assert lasting == []
    assert stats["keyspace_hits"] + stats["keyspace_misses"] == cache.READS
    assert 0.65 < stats["keyspace_hits"] / cache.READS < 0.85
