"""Counters and clocks of the server that mislead who trusts them, and what the report says beside them."""

import time

import pytest

from dbvitals.analyse.connection_thresholds import ConnectionThresholds
from dbvitals.analyse.samples import Interval, fold
from dbvitals.collect.activity import ActivityReader, ProbeLimits, open_activity
from dbvitals.collect.own_cost import WINDOW
from dbvitals.collect.watch import Watch, WatchPlan
from dbvitals.settings import Timeouts
from dbvitals.snapshot_activity import Back, Looked, Lost, Probe
from tests.conftest import MakeDatabase
from tests.integration.connections.crowd import EVERYBODY, Connection, Crowd, ask, look, report, target, until

LIMITS = ProbeLimits(long_query=0.2, leak=0.2)
LONG = ConnectionThresholds(long_query_seconds=0.2)
FORCE = "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0"


def counted(admin: Connection, column: str) -> float:
    """A column of pg_stat_database for the database that the connection is in."""
    row = admin.execute(
        f"select {column}::float8 from pg_stat_database where datname = current_database()".encode()
    ).fetchone()
    assert row is not None
    return float(row[0])


def age_by_the_server(admin: Connection, session: Connection) -> float:
    row = admin.execute(
        "select extract(epoch from clock_timestamp() - state_change)::float8 from pg_stat_activity where pid = %s",
        [session.info.backend_pid],
    ).fetchone()
    assert row is not None
    return float(row[0])


def age_seen(reader: ActivityReader, session: Connection) -> float:
    (found,) = [s.state_seconds for s in reader.everything().sessions if s.pid == session.info.backend_pid]
    assert found is not None
    return found


def test_trap_15_ages_are_by_the_servers_clock_which_goes_on_from_look_to_look(database: str, crowd: Crowd) -> None:
    """now() stands still in a transaction, and the client's clock may be another one: what the server says is held
    against what the server said just before and just after."""
    session, admin = crowd.open(database), crowd.open(database, "admin")
    session.execute("select 1")
    with open_activity(target(database), Timeouts(), EVERYBODY) as reader:
        for _ in range(2):
            before = age_by_the_server(admin, session)
            seen = age_seen(reader, session)
            after = age_by_the_server(admin, session)
            assert before - 0.001 <= seen <= after + 0.001
            time.sleep(0.5)
        assert age_seen(reader, session) >= 1.0


def test_trap_23_a_new_connections_counter_is_no_negative_cost(database: str, crowd: Crowd) -> None:
    """The processor time of the watch's own server process begins at zero again when it has to connect anew."""
    admin = crowd.open(database, "admin")
    plan = WatchPlan(interval=60.0, duration=60.0, limits=LIMITS, period=0.001)
    watch = Watch(lambda: open_activity(target(database), Timeouts(), EVERYBODY), plan)
    costs: list[float] = []
    looked, gaps = 0, []
    for event in watch.events():
        looked += isinstance(event, Looked)
        gaps += [type(event)] if isinstance(event, Lost | Back) else []
        if Back in gaps:
            watch.stop.set()
        elif looked == 3 * WINDOW and not gaps:
            end_watchers(admin)
        if watch.budget.server_seconds is None:
            assert not costs
        else:
            costs.append(watch.budget.server_seconds)
    if not costs:
        pytest.skip("the server's processor time cannot be seen from here")
    assert gaps == [Lost, Back]
    assert costs == sorted(costs)
    assert costs[-1] > costs[0] > 0
    assert len(set(costs[-3:])) == 2, "what the second connection used is counted as well"


def end_watchers(admin: Connection) -> None:
    admin.execute(
        "select pg_terminate_backend(pid, 30000) from pg_stat_activity"
        " where datname = current_database() and application_name = 'dbvitals'"
    )


def test_trap_23_a_reset_of_the_servers_statistics_changes_no_figure(database: str, crowd: Crowd) -> None:
    admin = crowd.open(database, "admin")
    crowd.open(database).execute("begin; select 1")
    before = counts(database)
    admin.execute("select pg_stat_reset()")
    assert before["idle in transaction"] == 1
    assert counts(database) == before


def counts(dsn: str) -> dict[str, int]:
    return {row.state: row.connections for row in report(dsn).by_state}


def probes(dsn: str, number: int) -> list[Probe]:
    with open_activity(target(dsn), Timeouts(), EVERYBODY) as reader:
        seen = []
        for moment in range(number):
            seen.append(reader.probe(LIMITS, moment / 4))
            time.sleep(0.05)
        return seen


def test_trap_24_what_runs_now_counts_now_and_not_when_it_ends(database: str, crowd: Crowd) -> None:
    """pg_stat_database.active_time and idle_in_transaction_time know a statement or a pause once it is over."""
    admin = crowd.open(database, "admin")
    for _ in range(3):
        crowd.start(crowd.open(database), "select pg_sleep(300)")
    crowd.open(database).execute("begin")
    until(lambda: look_active(database) == 3, "three statements running")
    time.sleep(1)
    seen = probes(database, 4)
    now = [session for session in look(database).sessions if session.mine]
    running = sum(session.query_seconds or 0.0 for session in now)
    (pause,) = [session.state_seconds for session in now if session.state == "idle in transaction"]
    assert running > 3
    assert pause is not None
    assert pause > 1
    # What our own looks took is in them.
    assert counted(admin, "active_time") < running * 1000 / 2, "the trap shows nothing"
    assert counted(admin, "idle_in_transaction_time") < pause * 1000 / 2, "the trap shows nothing"
    sample = fold(Interval(started_at=seen[0].taken_at, begin=0, end=1), seen, ask().pool, None)
    assert sample.active_connections is not None
    assert sample.idle_in_transaction is not None
    assert (sample.active_connections.minimum, sample.active_connections.mean) == (3, 3)
    assert sample.idle_in_transaction.mean == 1
    assert [probe.long_running for probe in seen] == [3] * 4
    summary = report(database, thresholds=LONG).summary
    assert (summary.active_connections, summary.long_running_queries, summary.idle_in_transaction) == (3, 3, 1)


def look_active(dsn: str) -> int:
    return sum(session.state == "active" for session in look(dsn).sessions if session.mine)


def test_trap_25_sessions_that_touch_no_table_are_load_like_any_other(database: str, crowd: Crowd) -> None:
    """Their times need not reach pg_stat_database for as long as they live; the report does not ask it."""
    admin = crowd.open(database, "admin")
    sessions = [crowd.open(database) for _ in range(4)]
    for session in sessions:
        session.execute("select pg_sleep(0.3)")
    for session in sessions:
        crowd.start(session, "select pg_sleep(300)")
    until(lambda: look_active(database) == 4, "four statements running")
    time.sleep(0.5)
    assert counted(admin, "active_time") < 4 * (300 + 500), "the trap shows nothing"
    assert [probe.active for probe in probes(database, 3)] == [4, 4, 4]
    assert report(database).summary.pool_busy_percent == 13.33


def test_trap_26_parallel_workers_are_backends_of_the_database_and_no_connections(
    database: str, make_database: MakeDatabase, crowd: Crowd
) -> None:
    admin, leader = crowd.open(database, "admin"), crowd.open(database)
    leader.execute("create table big as select i, repeat('x', 500) from generate_series(1, 2000) as i")
    leader.execute("alter table big set (parallel_workers = 2)")
    leader.execute(FORCE.encode())
    crowd.start(leader, "select count(*) from big where pg_sleep(300)::text is null")
    until(lambda: counted(admin, "numbackends") == 4, "two parallel workers beside two sessions")
    found = report(database)
    assert (found.summary.total_connections, found.summary.active_connections) == (2, 1)
    # Nor do they take any of max_connections: they have slots of their own.
    until(lambda: report(database).summary.server_connections == clients(admin) + 1, "the clients alone being counted")
    until(lambda: probes(database, 1)[0].server_sessions == clients(admin), "the same in a cheap look")
    (probe,) = probes(database, 1)
    assert (probe.total, probe.active) == (2, 1)


def clients(admin: Connection) -> int:
    row = admin.execute("select count(*) from pg_stat_activity where backend_type = 'client backend'").fetchone()
    assert row is not None
    return int(row[0])
