"""The scene that other tools count and draw wrongly: sessions of all kinds, and a graph of waits (3.3 and 3.4)."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from dbvitals.collect.activity import PoolScope, ProbeLimits, open_activity
from dbvitals.sandbox import PostgresServer
from dbvitals.settings import Timeouts
from tests.conftest import MakeDatabase
from tests.integration.connections.crowd import (
    EVERYBODY,
    Connection,
    Crowd,
    edges,
    look,
    nodes,
    report,
    target,
    until,
)

PARALLEL = "select count(*) from big where pg_sleep(300)::text is null"
FORCE = """
    set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
    set max_parallel_workers_per_gather = 2
"""


@dataclass
class Scene:
    dsn: str
    other: str
    admin: Connection
    walsender: int


@pytest.fixture
def scene(postgres: PostgresServer, make_database: MakeDatabase, crowd: Crowd) -> Iterator[Scene]:
    """22 clients: 3 active (one with two parallel workers), 15 idle, 2 idle in transaction, 1 aborted, 1 disabled;
    5 in another database; a WAL sender."""
    dsn, other = make_database(postgres), make_database(postgres)
    setup = crowd.open(dsn)
    setup.execute("create table big as select i, repeat('x', 500) from generate_series(1, 2000) as i")
    setup.execute("alter table big set (parallel_workers = 2)")
    leader = crowd.open(dsn)
    leader.execute(FORCE)
    crowd.start(leader, PARALLEL)
    for _ in range(2):
        crowd.start(crowd.open(dsn), "select pg_sleep(300)")
    for number in range(14):
        crowd.open(dsn, f"idle-{'a' if number % 2 else 'b'}")
    for _ in range(2):
        session = crowd.open(dsn)
        session.execute("begin")
        session.execute("select 1")
    aborted = crowd.open(dsn)
    aborted.execute("begin")
    with pytest.raises(psycopg.errors.DivisionByZero):
        aborted.execute("select 1/0")
    crowd.open(dsn).execute("set track_activities = off")
    for _ in range(5):
        crowd.open(other)
    admin = crowd.open(postgres.dsn(), "admin")
    until(lambda: count(admin, "leader_pid is not null") == 2, "two parallel workers")
    until(lambda: count(admin, "state = 'active' and query like '%pg_sleep(300)%'") >= 3, "three active")
    with walsender(postgres) as pid:
        yield Scene(dsn, other, admin, pid)


def count(admin: Connection, condition: str) -> int:
    row = admin.execute(f"select count(*) from pg_stat_activity where {condition}".encode()).fetchone()
    assert row is not None
    return int(row[0])


class walsender:  # noqa: N801 -- read as a function
    """A physical replication connection that streams, as a standby's does."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def __enter__(self) -> int:
        self._pgconn = psycopg.pq.PGconn.connect(f"{self._server.dsn()}&replication=true".encode())
        found = self._pgconn.exec_(b"IDENTIFY_SYSTEM")
        position = found.get_value(0, 2)
        assert position is not None
        self._pgconn.exec_(b"START_REPLICATION PHYSICAL " + position)
        return self._pgconn.backend_pid

    def __exit__(self, *error: object) -> None:
        self._pgconn.finish()


def test_traps_1_2_4_6_7_8_9_the_counts_are_exact(scene: Scene) -> None:
    found = report(scene.dsn)
    summary = found.summary
    assert summary.total_connections == 22
    assert summary.active_connections == 3
    assert summary.idle_connections == 15
    assert summary.idle_in_transaction == 3
    assert summary.other_connections == 1
    assert summary.hidden_connections == 0
    states = {row.state: row.connections for row in found.by_state}
    assert states == {
        "active": 3,
        "idle": 15,
        "idle in transaction": 2,
        "idle in transaction (aborted)": 1,
        "fastpath function call": 0,
        "disabled": 1,
    }
    assert sum(states.values()) == summary.total_connections
    assert summary.pool_utilization_percent == 73.33
    others = {row.database: row.connections for row in found.other_databases}
    assert others[str(psycopg.conninfo.conninfo_to_dict(scene.other)["dbname"])] == 5
    assert scene.walsender not in {row.pid for row in found.connections}
    assert sum(row.total for row in found.by_application) == 22


def test_the_probe_and_the_details_count_the_same(scene: Scene) -> None:
    with open_activity(target(scene.dsn), Timeouts(), EVERYBODY) as reader:
        probe = reader.probe(ProbeLimits(long_query=30, leak=10), 0.0)
    assert (probe.total, probe.active, probe.idle, probe.idle_in_transaction) == (22, 3, 15, 3)
    assert probe.server_sessions == sum(
        session.backend_type == "client backend" for session in look(scene.dsn).sessions
    )


def test_trap_3_another_run_of_the_tool_is_no_load(scene: Scene, crowd: Crowd) -> None:
    crowd.open(scene.dsn, "dbvitals")
    assert report(scene.dsn).summary.total_connections == 22


def test_trap_9_one_application_is_one_pool(scene: Scene) -> None:
    scope = PoolScope(applications=("idle-a", "idle-b"))
    assert report(scene.dsn, scope).summary.total_connections == 14
    assert report(scene.dsn, PoolScope(role="nobody")).summary.total_connections == 0


def test_trap_21_what_is_left_out_is_counted(scene: Scene) -> None:
    summary = report(scene.dsn, PoolScope(excluded=("idle-a",))).summary
    assert (summary.total_connections, summary.excluded_connections) == (15, 7)


def test_trap_2_a_parallel_query_is_one_long_query(scene: Scene) -> None:
    from dbvitals.analyse.connection_thresholds import ConnectionThresholds

    found = report(scene.dsn, thresholds=ConnectionThresholds(long_query_seconds=0))
    assert found.summary.long_running_queries == 3
    assert len(found.long_running_queries) == 3


def test_trap_16_two_looks_over_one_connection_see_what_came_between(scene: Scene, crowd: Crowd) -> None:
    with open_activity(target(scene.dsn), Timeouts(), EVERYBODY) as reader:
        before = len([session for session in reader.everything().sessions if session.mine])
        for _ in range(3):
            crowd.open(scene.dsn)
        after = len([session for session in reader.everything().sessions if session.mine])
        ours = scene.admin.execute("select state from pg_stat_activity where pid = %s", [reader.server.pid]).fetchone()
    assert (before, after) == (22, 25)
    assert ours == ("idle",)


@dataclass
class Graph:
    dsn: str
    admin: Connection
    pids: dict[str, int]


@pytest.fixture
def graph(database: str, crowd: Crowd) -> Graph:
    """B<-A, C<-B, D<-A,B,C, E<-D by row, tuple and table locks; Y<-X by an advisory lock."""
    admin = crowd.open(database, "admin")
    admin.execute("create table locks (id int primary key, state text)")
    admin.execute("insert into locks values (1, 'free')")
    pids = {}
    a = crowd.open(database, "A")
    a.execute("begin")
    a.execute("update locks set state = 'held by +34 600 123 456' where id = 1")
    pids["A"] = a.info.backend_pid
    update = "update locks set state = 'x' where id = 1"
    for name, statement in (("B", update), ("C", update), ("D", "alter table locks add note text")):
        pids[name] = crowd.stuck(crowd.open(database, name), statement, admin)
    pids["E"] = crowd.stuck(crowd.open(database, "E"), "select * from locks", admin)
    x = crowd.open(database, "X")
    x.execute("select pg_advisory_lock(-42)")
    pids["X"] = x.info.backend_pid
    pids["Y"] = crowd.stuck(crowd.open(database, "Y"), "select pg_advisory_lock(-42)", admin)
    return Graph(database, admin, pids)


def test_trap_28_the_edges_are_those_of_pg_blocking_pids_and_the_roots_are_right(graph: Graph) -> None:
    found = report(graph.dsn)
    p = graph.pids
    truth = edges(graph.admin)
    assert {(node.pid, blocker) for node in nodes(found.blocking) for blocker in node.blocked_by} == truth
    assert truth == {
        (p["B"], p["A"]), (p["C"], p["B"]), (p["D"], p["A"]), (p["D"], p["B"]), (p["D"], p["C"]),
        (p["E"], p["D"]), (p["Y"], p["X"]),
    }  # fmt: skip
    assert {tree.pid for tree in found.blocking} == {p["A"], p["X"]}
    assert sorted(node.pid for node in nodes(found.blocking)) == sorted(p.values())
    assert {tree.pid: tree.victims for tree in found.blocking} == {p["A"]: 4, p["X"]: 1}
    assert found.summary.blocked_connections == 5


def test_a_root_says_what_it_holds_and_a_victim_what_it_waits_for(graph: Graph) -> None:
    by_pid = {node.pid: node for node in nodes(report(graph.dsn).blocking)}
    p = graph.pids
    assert "row of public.locks" in by_pid[p["A"]].holds
    assert by_pid[p["B"]].waits_for == "row of public.locks"
    assert by_pid[p["D"]].waits_for == "table public.locks"
    assert by_pid[p["X"]].holds == ("advisory lock -42",)


def test_trap_18_a_wait_is_as_old_as_the_wait_itself(graph: Graph, crowd: Crowd) -> None:
    """The session was connected and in its transaction before; only the wait counts."""
    late = crowd.open(graph.dsn, "late")
    late.execute("begin")
    late.execute("select pg_sleep(1)")
    pid = crowd.stuck(late, "select pg_advisory_lock(-42)", graph.admin)
    (node,) = [node for node in nodes(report(graph.dsn).blocking) if node.pid == pid]
    (session,) = [session for session in look(graph.dsn).sessions if session.pid == pid]
    assert node.waited_seconds is not None
    assert session.transaction_seconds is not None
    assert node.waited_seconds <= session.transaction_seconds - 0.9


def test_trap_29_a_table_of_another_database_is_not_named_after_one_of_ours(
    graph: Graph, postgres: PostgresServer
) -> None:
    by_pid = {node.pid: node for node in nodes(report(postgres.dsn()).blocking)}
    waits_for = by_pid[graph.pids["D"]].waits_for
    assert waits_for is not None
    assert waits_for.removeprefix("table ").isdigit()


def test_trap_31_the_look_waits_for_no_lock(graph: Graph, crowd: Crowd) -> None:
    holder = crowd.open(graph.dsn, "holder")
    holder.execute("create table taken (id int)")
    holder.execute("begin")
    holder.execute("lock table taken in access exclusive mode")
    with open_activity(target(graph.dsn), Timeouts(lock=0.001), EVERYBODY) as reader:
        snapshot = reader.everything()
    assert snapshot.skipped == ()


def test_trap_48_no_literal_of_a_query_reaches_the_report(graph: Graph) -> None:
    from dbvitals.output import to_json

    assert b"600 123" not in to_json(report(graph.dsn))
    assert b"600 123" in to_json(report(graph.dsn, show_literals=True))
