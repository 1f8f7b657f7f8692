"""Pool arithmetic: sizes as SQLAlchemy takes them, processes, and what the server gives."""

import pytest

from dbvitals.analyse.fleet import PoolConfig, count_processes, weigh
from dbvitals.snapshot_activity import PgBouncerPool, PgBouncerSnapshot
from tests.unit.connections.builders import question, report, server, session, snapshot


@pytest.mark.parametrize(
    ("size", "overflow", "capacity"), [(10, 20, 30), (5, 0, 5), (0, 10, None), (5, -1, None), (0, -1, None)]
)
def test_traps_32_33_a_pool_without_limit_has_no_capacity_and_divides_nothing(
    size: int, overflow: int, capacity: int | None
) -> None:
    pool = PoolConfig(size=size, max_overflow=overflow)
    assert pool.capacity == capacity
    assert (pool.percent_of(3) is None) == (capacity is None)
    found = report(session(2), pool=pool)
    assert ("CON013" in {f.rule for f in found.findings}) == (capacity is None)


def test_trap_35_overflow_counts_from_the_base_size_of_all_processes() -> None:
    assert PoolConfig(size=10, max_overflow=20).overflow_of(12) == 2
    assert PoolConfig(size=10, max_overflow=20, processes=2).overflow_of(12) == 0
    assert PoolConfig(size=10, max_overflow=20).overflow_of(3) == 0
    assert PoolConfig(size=0, max_overflow=-1).overflow_of(30) == 0


def test_trap_10_several_processes_have_several_pools() -> None:
    assert PoolConfig(size=5, max_overflow=5, processes=4).percent_of(20) == 50


def test_processes_are_counted_by_numbered_names() -> None:
    sessions = [session(n, application_name=f"hotel-{n % 3}") for n in range(2, 9)]
    assert count_processes(None, (), sessions) == (3, "application names")
    assert count_processes(7, (), sessions) == (7, "given")
    assert count_processes(None, (), [session(2), session(3)]) == (1, "assumed")


def test_trap_40_supply_is_the_least_that_anything_gives() -> None:
    pool = PoolConfig(size=10, max_overflow=20, processes=4, processes_from="given")
    bouncer = PgBouncerSnapshot(address="pool:6432", version="1.25", pools=(), links=(), max_server_connections=50)
    plain = weigh(pool, server(), ["hotel"], ())
    assert (plain.supply, plain.demand, plain.oversubscribed, plain.processes_that_fit) == (97, 120, 1.24, 3)
    limited = weigh(pool, server(role_limits={"hotel": 60, "other": 1}), ["hotel"], ())
    assert (limited.supply, limited.limited_by) == (60, "CONNECTION LIMIT of role hotel")
    assert weigh(pool, server(), ["hotel"], (bouncer,)).limited_by == "PgBouncer pool:6432"
    assert weigh(PoolConfig(size=0, max_overflow=-1), server(), [], ()).demand is None
    assert weigh(pool, server(database_limit=0), [], ()).oversubscribed is None


@pytest.mark.parametrize(("open_", "severities"), [(15, []), (16, ["medium"]), (18, ["medium"]), (19, ["critical"])])
def test_trap_50_above_a_threshold_is_above_it_and_not_on_it(open_: int, severities: list[str]) -> None:
    found = report(*(session(n) for n in range(2, 2 + open_)), pool=PoolConfig(size=15, max_overflow=5))
    assert [f.severity for f in found.findings if f.rule == "CON001"] == severities


def test_item_1_a_full_pool_of_idle_connections_is_called_warm_and_not_grown() -> None:
    found = report(*(session(n) for n in range(2, 12)), pool=PoolConfig(size=10, max_overflow=0))
    (finding,) = [f for f in found.findings if f.rule == "CON001"]
    (advice,) = [r for r in found.recommendations if r.category == "pool_utilization"]
    assert finding.severity == "critical"
    assert "warm, not exhausted" in finding.message
    assert "POSTGRES_POOL_SIZE" not in advice.action


def test_a_busy_pool_gets_the_guides_lines_for_the_env_file() -> None:
    found = report(*(session(n, "active") for n in range(2, 32)))
    (advice,) = [r for r in found.recommendations if r.category == "pool_utilization"]
    assert "POSTGRES_POOL_SIZE=20 POSTGRES_MAX_OVERFLOW=40" in advice.action
    assert "make docker-up" in advice.action


def test_a_pool_is_not_grown_beyond_what_the_server_gives() -> None:
    pool = PoolConfig(size=30, max_overflow=30)
    found = report(*(session(n, "active") for n in range(2, 62)), pool=pool)
    (advice,) = [r for r in found.recommendations if r.category == "pool_utilization"]
    assert "Do not grow the pool" in advice.action


def test_trap_37_few_idle_transactions_are_normal_and_four_are_not() -> None:
    three = [session(n, "idle in transaction", state_seconds=0.1) for n in range(2, 5)]
    assert "CON002" not in {f.rule for f in report(*three).findings}
    aborted = session(9, "idle in transaction (aborted)", state_seconds=0.1)
    found = report(*three, aborted)
    assert "CON002" in {f.rule for f in found.findings}
    (advice,) = [r for r in found.recommendations if r.category == "idle_in_transaction"]
    assert "Root cause: transactions not committed" in advice.message
    assert "await session.commit()" in advice.action


def test_a_nearly_full_server_is_critical() -> None:
    crowd = [session(n, mine=False, database="other") for n in range(2, 92)]
    assert [f.severity for f in report(*crowd).findings if f.rule == "CON005"] == ["critical"]


def test_fleet_and_bouncer_findings() -> None:
    waiting = PgBouncerPool(
        database="hotel",
        user="hotel",
        mode="transaction",
        clients_active=3,
        clients_waiting=2,
        servers_active=3,
        servers_idle=0,
        servers_used=0,
        max_wait_seconds=2.3,
    )
    bouncer = PgBouncerSnapshot(address="pool:6432", version="1.18.0", pools=(waiting,), links=())
    pool = PoolConfig(size=50, max_overflow=50)
    rules = {f.rule for f in report(session(2), pool=pool, bouncers=(bouncer,)).findings}
    assert {"CON006", "CON012"} <= rules


def test_trap_45_a_pooler_is_named_in_what_is_missing() -> None:
    from dbvitals.analyse.connections import analyse_connections

    found = analyse_connections(snapshot(session(2), server=server(pooled=True)), question())
    assert [part.part for part in found.incomplete] == ["direct connection"]
