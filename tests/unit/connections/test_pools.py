"""Pool arithmetic: sizes as SQLAlchemy takes them, processes, and what the server gives."""

from pathlib import Path

import pytest

from dbvitals.analyse.fleet import PoolConfig, ProcessesFrom, count_processes, weigh
from dbvitals.snapshot_activity import PgBouncerLink, PgBouncerPool, PgBouncerSnapshot
from tests.unit.connections.builders import dotenv_of, question, report, server, session, snapshot


def waiting(clients: int, database: str = "hotel") -> PgBouncerPool:
    return PgBouncerPool(
        database=database,
        user="hotel",
        mode="transaction",
        clients_active=3,
        clients_waiting=clients,
        servers_active=3,
        servers_idle=0,
        servers_used=0,
        max_wait_seconds=2.3 if clients else 0.0,
    )


def bouncer(
    *pools: PgBouncerPool, address: str = "pool:6432", most: int | None = None, links: tuple[PgBouncerLink, ...] = ()
) -> PgBouncerSnapshot:
    return PgBouncerSnapshot(address=address, version="1.25.0", pools=pools, links=links, max_server_connections=most)


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
    plain = weigh(pool, server(), ["hotel"], ())
    assert (plain.supply, plain.demand, plain.oversubscribed, plain.processes_that_fit) == (97, 120, 1.24, 3)
    limited = weigh(pool, server(role_limits={"hotel": 60, "other": 1}), ["hotel"], ())
    assert (limited.supply, limited.limited_by) == (60, "CONNECTION LIMIT of role hotel")
    assert weigh(pool, server(), ["hotel"], (bouncer(most=50),)).limited_by == "PgBouncer pool:6432"
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


def test_a_busy_pool_gets_the_guides_lines_for_the_env_file(tmp_path: Path) -> None:
    found = report(*(session(n, "active") for n in range(2, 32)))
    (advice,) = [r for r in found.recommendations if r.category == "pool_utilization"]
    assert dotenv_of(advice.action, tmp_path) == {"POSTGRES_POOL_SIZE": "20", "POSTGRES_MAX_OVERFLOW": "40"}
    assert "make docker-up" in advice.action


def test_a_warm_pool_has_no_impact_while_nobody_waits_and_who_waits_is_not_guessed() -> None:
    sessions = [session(n) for n in range(2, 12)]
    pool = PoolConfig(size=10, max_overflow=0)
    quiet = report(*sessions, pool=pool, bouncers=(bouncer(waiting(0)),))
    unknown = report(*sessions, pool=pool)
    for found, is_known in ((quiet, True), (unknown, False)):
        (finding,) = [f for f in found.findings if f.rule == "CON001"]
        (advice,) = [r for r in found.recommendations if r.category == "pool_utilization"]
        assert finding.severity == "critical"
        assert "Impact: none as long as nobody waits" in advice.message
        assert ("whether anybody waits is not known: --app tells" in finding.message) != is_known
        assert ("--app URL" in advice.action) != is_known
    busy = report(*(session(n, "active") for n in range(2, 12)), pool=pool)
    (advice,) = [r for r in busy.recommendations if r.category == "pool_utilization"]
    assert "Impact: new connections will time out, causing 500 errors" in advice.message


@pytest.mark.parametrize(
    ("open_", "source", "is_told"), [(31, "assumed", True), (30, "assumed", False), (31, "given", False)]
)
def test_more_connections_than_one_process_can_have_are_of_several(
    open_: int, source: ProcessesFrom, is_told: bool
) -> None:
    pool = PoolConfig(size=10, max_overflow=20, processes_from=source)
    found = report(*(session(n, "active") for n in range(2, 2 + open_)), pool=pool)
    (finding,) = [f for f in found.findings if f.rule == "CON001"]
    (advice,) = [r for r in found.recommendations if r.category == "pool_utilization"]
    assert ("give --processes N" in finding.message) == is_told
    assert ("give --processes N" in advice.action) == is_told
    assert ("POSTGRES_POOL_SIZE" in advice.action) != is_told


def test_who_waits_for_another_database_does_not_wait_for_this_one() -> None:
    elsewhere, here = waiting(7, "billing"), waiting(2)
    assert report(session(2), bouncers=(bouncer(elsewhere, here),)).summary.waiting_connections == 2


def test_a_database_that_pgbouncer_calls_by_another_name_is_known_by_its_sessions() -> None:
    link = PgBouncerLink(
        client_address="10.0.0.9", client_port=1, application_name="", database="alias", user="hotel", server_pid=2
    )
    console = bouncer(waiting(7, "billing"), waiting(3, "alias"), links=(link,))
    assert report(session(2), bouncers=(console,)).summary.waiting_connections == 3


def test_several_pgbouncers_give_what_they_give_together() -> None:
    pool = PoolConfig(size=10, max_overflow=20, processes=4, processes_from="given")
    two = [bouncer(address=f"{name}:6432", most=40) for name in ("b", "a")]
    found = weigh(pool, server(), ["hotel"], two)
    assert (found.supply, found.limited_by) == (80, "PgBouncer a:6432 + b:6432")
    without_maximum = weigh(pool, server(), ["hotel"], [*two, bouncer(address="c:6432")])
    assert (without_maximum.supply, without_maximum.limited_by) == (97, "max_connections less the reserved")


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
    (finding,) = [f for f in found.findings if f.rule == "CON002"]
    assert finding.message == "4 connections are idle in transaction, 1 of them aborted"
    (advice,) = [r for r in found.recommendations if r.category == "idle_in_transaction"]
    assert "Root cause: transactions not committed" in advice.message
    assert "await session.commit()" in advice.action


def test_a_nearly_full_server_is_critical() -> None:
    crowd = [session(n, mine=False, database="other") for n in range(2, 92)]
    assert [f.severity for f in report(*crowd).findings if f.rule == "CON005"] == ["critical"]


def test_fleet_and_bouncer_findings() -> None:
    pool = PoolConfig(size=50, max_overflow=50)
    rules = {f.rule for f in report(session(2), pool=pool, bouncers=(bouncer(waiting(2)),)).findings}
    assert {"CON006", "CON012"} <= rules


def test_trap_45_a_pooler_is_named_in_what_is_missing() -> None:
    from dbvitals.analyse.connections import analyse_connections

    found = analyse_connections(snapshot(session(2), server=server(pooled=True)), question())
    assert [part.part for part in found.incomplete] == ["direct connection"]
