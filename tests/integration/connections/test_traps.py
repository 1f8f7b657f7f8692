"""One trap of the study a test, each on a real server; the numbers are the study's."""

import time

import psycopg
import pytest
from psycopg import sql

from dbvitals.analyse.connection_thresholds import ConnectionThresholds
from dbvitals.analyse.fleet import PoolConfig
from dbvitals.collect.activity import PoolScope, open_activity
from dbvitals.sandbox import PostgresServer
from dbvitals.settings import Timeouts
from tests.integration.connections.crowd import (
    EVERYBODY,
    PATIENCE,
    Crowd,
    look,
    report,
    rules,
    target,
    until,
)

SOON = ConnectionThresholds(leak_seconds=0.2, long_query_seconds=0.2, long_transaction_seconds=0.5)


@pytest.fixture
def outsider(database: str, crowd: Crowd) -> str:
    """The DSN of a login that may look at its own sessions only."""
    admin = crowd.open(database, "admin")
    name = f'out"sider {database.rpartition("test_")[2][:20]}'
    with_name = sql.SQL("{} {}").format
    admin.execute(with_name(sql.SQL("create role"), sql.Identifier(name)) + sql.SQL(" login"))
    return psycopg.conninfo.make_conninfo(database, user=name)


def test_trap_5_what_a_login_cannot_see_is_unknown_and_never_0(database: str, outsider: str, crowd: Crowd) -> None:
    for _ in range(3):
        crowd.open(database)
    own = crowd.open(outsider)
    found = report(outsider)
    summary = found.summary
    assert summary.total_connections == 5
    assert summary.hidden_connections == 4
    assert summary.active_connections is None
    assert summary.idle_connections is None
    assert summary.idle_in_transaction is None
    assert summary.long_running_queries is None
    assert summary.pool_busy_percent is None
    assert {row.state: row.connections for row in found.by_state if row.connections} == {"unknown": 4, "idle": 1}
    (unseen,) = found.incomplete
    assert "4 of 5 sessions" in unseen.why
    assert unseen.mend == 'GRANT pg_monitor TO "{}";'.format(own.info.user.replace('"', '""'))


def test_the_grant_that_is_printed_works(database: str, outsider: str, crowd: Crowd) -> None:
    crowd.open(database)
    (unseen,) = report(outsider).incomplete
    crowd.open(database).execute(unseen.mend.encode())
    found = report(outsider)
    assert found.incomplete == ()
    assert found.summary.idle_connections == found.summary.total_connections


def test_trap_11_a_unix_socket_has_no_port(database: str, crowd: Crowd) -> None:
    crowd.open(database)
    assert {row.client for row in report(database).connections} == {"unix socket"}


def test_trap_14_an_idle_session_is_no_long_query_however_old_its_last_one(database: str, crowd: Crowd) -> None:
    crowd.open(database).execute("select 1")
    crowd.start(crowd.open(database), "select pg_sleep(300)")
    time.sleep(0.5)
    found = report(database, thresholds=SOON)
    assert found.summary.long_running_queries == 1
    assert [row.state for row in found.long_running_queries] == ["active"]
    assert "CON003" in rules(found)


def test_trap_17_idle_in_transaction_counts_from_the_last_statement(database: str, crowd: Crowd) -> None:
    session = crowd.open(database)
    session.execute("begin")
    session.execute("select pg_sleep(1)")
    (row,) = report(database).idle_in_transaction
    assert row.state_seconds is not None
    assert row.transaction_seconds is not None
    assert row.transaction_seconds >= row.state_seconds + 0.9


def test_trap_17_a_transaction_that_keeps_changing_state_is_found_by_its_age(database: str, crowd: Crowd) -> None:
    session = crowd.open(database)
    session.execute("begin")
    session.execute("select pg_sleep(0.6)")
    patient = ConnectionThresholds(leak_seconds=60, long_query_seconds=60, long_transaction_seconds=0.5)
    assert "CON008" in rules(report(database, thresholds=patient))


def test_trap_19_a_client_that_does_not_read_is_told_from_a_slow_query(database: str, crowd: Crowd) -> None:
    reader = crowd.open(database)
    reader.execute("set default_transaction_isolation = 'read committed'")
    reader.pgconn.send_query(b"select repeat('x', 1000) from generate_series(1, 100000)")
    reader.pgconn.flush()
    pid = reader.info.backend_pid
    until(lambda: doing(database, pid) == "waits for its client to take the rows", "a full socket")
    time.sleep(0.3)
    (found,) = [f for f in report(database, thresholds=SOON).findings if f.rule == "CON003"]
    assert "waits for its client" in found.message
    reader.pgconn.get_cancel().cancel()


def doing(dsn: str, pid: int) -> str:
    return next(row.activity for row in report(dsn).connections if row.pid == pid)


def test_trap_7_a_session_that_is_not_tracked_has_no_times_and_is_counted(database: str, crowd: Crowd) -> None:
    session = crowd.open(database)
    session.execute("set track_activities = off")
    found = report(database)
    assert found.summary.other_connections == 1
    assert [(row.state, row.state_seconds) for row in found.connections] == [("disabled", None)]


def test_trap_30_the_statement_ends_the_session_only_while_it_is_in_that_state(database: str, crowd: Crowd) -> None:
    leak, admin = crowd.open(database, "leak"), crowd.open(database, "admin")
    leak.execute("begin")
    leak.execute("select 1")
    time.sleep(0.3)
    statement = leak_statement(database)
    leak.execute("select 2")
    assert admin.execute(statement.encode()).fetchall() == []
    assert not leak.broken
    time.sleep(0.3)
    assert admin.execute(leak_statement(database).encode()).fetchall() == [(True,)]
    with pytest.raises(psycopg.OperationalError):
        leak.execute("select 3")


def leak_statement(dsn: str) -> str:
    (found,) = [f for f in report(dsn, thresholds=SOON).findings if f.rule == "CON007"]
    assert found.action is not None
    return found.action.statement


def test_a_long_query_is_cancelled_and_its_session_goes_on(database: str, crowd: Crowd) -> None:
    busy, admin = crowd.open(database), crowd.open(database, "admin")
    crowd.start(busy, "select pg_sleep(300)")
    time.sleep(0.5)
    (found,) = [f for f in report(database, thresholds=SOON).findings if f.rule == "CON003"]
    assert found.action is not None
    assert admin.execute(found.action.statement.encode()).fetchall() == [(True,)]
    until(lambda: doing(database, busy.info.backend_pid) == "idle", "the session being idle again")


def test_item_13_only_a_transaction_that_pins_old_rows_is_worse_than_a_silent_one(database: str, crowd: Crowd) -> None:
    harmless, pinning = crowd.open(database, "harmless"), crowd.open(database, "pinning")
    harmless.execute("begin")
    harmless.execute("select 1")
    pinning.execute("begin isolation level repeatable read")
    pinning.execute("select 1")
    time.sleep(0.3)
    found = report(database, thresholds=SOON)
    severities = {f.subject.name: f.severity for f in found.findings if f.rule == "CON007"}
    assert severities == {
        f"pid {harmless.info.backend_pid}": "info",
        f"pid {pinning.info.backend_pid}": "medium",
    }
    assert pinning.info.backend_pid in {holder.pid for holder in found.horizon}


def test_the_horizon_is_reported_when_it_is_old(database: str, crowd: Crowd) -> None:
    pinning, writer = crowd.open(database, "pinning"), crowd.open(database)
    pinning.execute("begin isolation level repeatable read")
    pinning.execute("select 1")
    for _ in range(20):
        writer.execute("select pg_current_xact_id()")
    (found,) = [
        f for f in report(database, thresholds=ConnectionThresholds(horizon_max_age=10)).findings if f.rule == "CON009"
    ]
    assert f"pid {pinning.info.backend_pid}" in found.message


def test_trap_40_the_smallest_limit_on_the_way_is_the_supply(database: str, crowd: Crowd) -> None:
    admin = crowd.open(database, "admin")
    name = sql.Identifier(admin.info.dbname)
    admin.execute(sql.SQL("alter database {} connection limit 7").format(name))
    found = report(database, pool=PoolConfig(size=5, max_overflow=5, processes=2, processes_from="given"))
    assert found.fleet is not None
    assert (found.fleet.demand, found.fleet.supply, found.fleet.processes_that_fit) == (20, 7, 0)
    assert found.fleet.limited_by == f"CONNECTION LIMIT of database {admin.info.dbname}"
    assert found.fleet.oversubscribed == 2.86
    assert "CON006" in rules(found)


def test_trap_53_a_text_that_was_cut_in_the_middle_of_a_literal_shows_nothing_of_it(
    database: str, crowd: Crowd
) -> None:
    padding = "x" * 2000
    crowd.start(crowd.open(database), f"select pg_sleep(300), 'guest@example.com {padding}'")
    until(lambda: bool(report(database).summary.active_connections), "the query")
    (row,) = [row for row in report(database).connections if row.state == "active"]
    assert row.query == "select pg_sleep($1), $2 …"


def test_hostile_application_names_are_shown_as_they_are(database: str, crowd: Crowd) -> None:
    name = "a\"b'c,<script>${x}"
    crowd.open(database, name)
    assert [row.application_name for row in report(database).by_application] == [name]
    assert report(database, PoolScope(applications=(name,))).summary.total_connections == 1


def test_trap_13_a_prepared_transaction_is_a_root_of_its_own(tcp_server: PostgresServer, crowd: Crowd) -> None:
    dsn = tcp_server.dsn()
    admin = crowd.open(dsn, "admin")
    admin.execute("create table if not exists prepared (id int primary key)")
    admin.execute("truncate prepared")
    admin.execute("begin")
    admin.execute("insert into prepared values (1)")
    admin.execute("prepare transaction 'gid ''1'")
    try:
        victim = crowd.stuck(crowd.open(dsn), "insert into prepared values (1)", admin)
        found = report(dsn, thresholds=ConnectionThresholds(prepared_seconds=0, blocked_high_seconds=0))
    finally:
        admin.execute("rollback prepared 'gid ''1'")
    (tree,) = found.blocking
    assert (tree.pid, tree.gid, tree.kind, tree.statement) == (0, "gid '1", "prepared transaction", None)
    assert [node.pid for node in tree.blocks] == [victim]
    assert {"CON004", "CON011"} <= rules(found)
    assert [row.gid for row in found.prepared_transactions] == ["gid '1"]


def test_trap_12_an_active_session_without_a_client_is_found(tcp_server: PostgresServer, crowd: Crowd) -> None:
    """The server goes on for a client that is gone; where the tool runs beside it, the kernel knows."""
    orphan, there = crowd.open(tcp_server.dsn(), "orphan"), crowd.open(tcp_server.dsn(), "there")
    crowd.start(there, "select pg_sleep(300)")
    orphan.pgconn.send_query(b"select pg_sleep(300)")
    orphan.pgconn.flush()
    pid = orphan.info.backend_pid
    until(lambda: pid in {s.pid for s in look(tcp_server.dsn()).sessions if s.state == "active"}, "the query")
    orphan.pgconn.finish()
    until(lambda: gone(tcp_server.dsn()) == {pid}, "the client being gone")
    (found,) = [f for f in report(tcp_server.dsn()).findings if f.rule == "CON010"]
    assert found.action is not None
    with psycopg.connect(tcp_server.dsn(), autocommit=True) as admin:
        assert admin.execute(found.action.statement.encode()).fetchall() == [(True,)]


def gone(dsn: str) -> set[int]:
    return {session.pid for session in look(dsn).sessions if session.client_gone}


def test_trap_28_a_deadlock_that_the_server_has_not_seen_yet_is_drawn_all_the_same(
    tcp_server: PostgresServer, crowd: Crowd
) -> None:
    dsn = tcp_server.dsn()
    admin = crowd.open(dsn, "admin")
    sessions = [crowd.open(dsn, f"S{number}") for number in range(2)]
    for number, session in enumerate(sessions):
        session.execute("set deadlock_timeout = '60s'")
        session.execute(f"select pg_advisory_lock({number})".encode())
    pids = [
        crowd.stuck(session, f"select pg_advisory_lock({1 - number})", admin) for number, session in enumerate(sessions)
    ]
    (tree,) = report(dsn).blocking
    assert tree.deadlock
    assert tree.pid == min(pids)
    assert [node.pid for node in tree.blocks] == [max(pids)]


def test_the_session_is_set_up_and_reads_in_autocommit(database: str, crowd: Crowd) -> None:
    admin = crowd.open(database)
    with open_activity(target(database), Timeouts(statement=7, lock=0.25), EVERYBODY) as reader:
        reader.everything()
        row = admin.execute(
            "select application_name, state, xact_start from pg_stat_activity where pid = %s", [reader.server.pid]
        ).fetchone()
    assert row == ("dbvitals", "idle", None)
    assert PATIENCE > 7
