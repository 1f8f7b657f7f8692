"""What the application says of its connections, joined with what the server shows."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from dbvitals.analyse.fleet import PoolConfig, count_processes
from dbvitals.analyse.pool_advice import with_sizes
from dbvitals.analyse.pool_sizing import WaitTarget
from dbvitals.snapshot_activity import PgBouncerLink, PgBouncerSnapshot
from dbvitals.snapshot_pool import Durations, HeldConnection, PoolObservation, PoolState, PoolWindow
from tests.unit.connections.builders import NOW, dotenv_of, report, session

NOTHING = Durations(bounds=(0.1, 1.0), counts=(0, 0, 0))
BUSY = Durations(bounds=(0.1, 1.0), counts=(6000, 0, 0), sum=300.0, sum_of_squares=30.0, maximum=0.1)


def held(pid: int | None, port: int | None = None) -> HeldConnection:
    return HeldConnection(
        backend_pid=pid,
        local_port=port,
        checked_out_at=NOW - timedelta(seconds=48),
        seconds=48.0,
        site="app/services/leases.py:88 renew",
        callers=("app/api/holds.py:31 create",),
        route="POST /v1/holds",
    )


def observation(*connections: HeldConnection, size: int = 10, **window: Any) -> PoolObservation:
    figures: dict[str, Any] = {
        "since": NOW,
        "seconds": 60.0,
        "checkouts": 0,
        "timeouts": 0,
        "wait": NOTHING,
        "hold": NOTHING,
        "create": NOTHING,
        "arrivals_per_second_peak": 0.0,
    }
    return PoolObservation(
        schema_version="1.0",
        application="hotel",
        process=1,
        taken_at=NOW,
        pool=PoolState(name="main", size=size, max_overflow=0, checked_out=1, idle=0, pending=0, timeouts_total=0),
        window=PoolWindow(**(figures | window)),
        connections=connections,
    )


def bouncer(*links: tuple[int, int]) -> PgBouncerSnapshot:
    return PgBouncerSnapshot(
        address="pool:6432",
        version="1.25.0",
        pools=(),
        links=tuple(
            PgBouncerLink(
                client_address="10.0.0.9",
                client_port=port,
                application_name="svc",
                database="hotel",
                user="hotel",
                server_pid=pid,
            )
            for port, pid in links
        ),
    )


def test_the_line_that_left_a_transaction_open_is_named() -> None:
    leak = session(4711, "idle in transaction", state_seconds=48.0)
    found = report(leak, observations=(observation(held(4711)),))
    (finding,) = [f for f in found.findings if f.rule == "CON007"]
    assert finding.message == (
        "idle in transaction for 48 s, checked out at app/services/leases.py:88 renew by POST /v1/holds"
    )


def test_who_took_the_connection_after_its_transaction_began_is_not_blamed() -> None:
    (known,) = report(
        session(4711, "idle in transaction", state_seconds=40.0, transaction_seconds=49.0),
        observations=(observation(held(4711)),),
    ).connections
    assert known.held_by is not None
    (other,) = report(
        session(4711, "idle in transaction", state_seconds=40.0, transaction_seconds=51.0),
        observations=(observation(held(4711)),),
    ).connections
    assert other.held_by is None


def test_a_connection_that_is_out_and_idle_is_con014() -> None:
    found = report(session(4711), observations=(observation(held(4711)),))
    (finding,) = [f for f in found.findings if f.rule == "CON014"]
    assert "app/services/leases.py:88 renew" in finding.message


def test_trap_45_a_made_up_process_id_is_not_taken_for_a_session() -> None:
    """Behind PgBouncer the port decides, even when the made-up number is somebody else's process."""
    sessions = (session(4711, "idle in transaction"), session(5000, "idle in transaction"))
    found = report(*sessions, observations=(observation(held(5000, 40123)),), bouncers=(bouncer((40123, 4711)),))
    assert {row.pid: row.held_by is not None for row in found.connections} == {4711: True, 5000: False}


def test_a_port_that_two_machines_use_is_not_guessed_at() -> None:
    sessions = (session(4711, "idle in transaction"), session(4712, "idle in transaction"))
    links = bouncer((40123, 4711), (40123, 4712))
    found = report(*sessions, observations=(observation(held(9, 40123)),), bouncers=(links,))
    assert [row.held_by for row in found.connections] == [None, None]


def test_con015_tells_the_size_and_the_lines_for_the_env_file(tmp_path: Path) -> None:
    busy = observation(size=10, checkouts=6000, hold=BUSY, arrivals_per_second_peak=100.0)
    found = with_sizes(report(session(2), observations=(busy,)), WaitTarget())
    (sizing,) = found.sizing
    (finding,) = [f for f in found.findings if f.rule == "CON015"]
    assert finding.subject.name == "hotel/main"
    (advice,) = [r for r in found.recommendations if r.category == "pool_size"]
    assert dotenv_of(advice.action, tmp_path) == {
        "POSTGRES_POOL_SIZE": str(sizing.advice.pool_size),
        "POSTGRES_MAX_OVERFLOW": str(sizing.advice.max_overflow),
    }


def test_con015_says_why_no_size_can_be_told() -> None:
    overloaded = observation(size=2, checkouts=6000, hold=BUSY, wait=BUSY, arrivals_per_second_peak=100.0)
    found = with_sizes(report(session(2), observations=(overloaded,)), WaitTarget())
    (sizing,) = found.sizing
    (advice,) = [r for r in found.recommendations if r.category == "pool_size"]
    assert sizing.advice.refused is not None
    assert sizing.advice.refused.message in advice.message


def test_a_measured_size_is_the_only_one_that_is_proposed() -> None:
    """Of two proposals for the same file one would be wrong; without a measured one the guide's doubling stays."""
    sessions = [session(n, "active") for n in range(2, 12)]
    pool = PoolConfig(size=10, max_overflow=0, processes_from="application")
    for seen, proposals in (
        (observation(size=10, checkouts=6000, hold=BUSY, arrivals_per_second_peak=100.0), ["pool_size"]),
        (observation(), ["pool_utilization"]),
    ):
        found = with_sizes(report(*sessions, pool=pool, observations=(seen,)), WaitTarget())
        categories = [r.category for r in found.recommendations if "POSTGRES_POOL_SIZE" in r.action]
        assert categories == proposals
        (first,) = [r for r in found.recommendations if r.category == "pool_utilization"]
        assert ("the size that was measured" in first.action) == (proposals == ["pool_size"])


def test_too_little_traffic_is_no_finding() -> None:
    found = with_sizes(report(session(2), observations=(observation(),)), WaitTarget())
    assert found.sizing[0].advice.refused is not None
    assert "CON015" not in {f.rule for f in found.findings}


def test_two_containers_with_the_same_process_id_are_two_processes() -> None:
    found = report(session(2), observations=(observation(), observation()))
    assert found.pools[0].process == found.pools[1].process
    assert count_processes(None, found.pools, ()) == (2, "application")


def test_without_an_application_there_is_no_sizing() -> None:
    assert with_sizes(report(session(2)), WaitTarget()).sizing == ()
