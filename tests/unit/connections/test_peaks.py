"""A peak that is over when the watch ends is judged as what it was, and not by the quiet after it."""

from dbvitals.analyse.connection_report import ConnectionReport
from dbvitals.analyse.connections import Watching
from dbvitals.analyse.fleet import PoolConfig
from dbvitals.analyse.samples import Interval, fold
from tests.unit.connections.builders import NOW, probe, report, session

POOL = PoolConfig(size=10, max_overflow=0)


def watched(busy: int) -> ConnectionReport:
    """All ten connections are open all the time, so many of them busy for half a second, and none at the end."""
    looks = [probe(n / 4, 10, active=busy * (n in {4, 5}), idle=10 - busy * (n in {4, 5})) for n in range(8)]
    sample = fold(Interval(started_at=NOW, begin=0.0, end=2.0), looks, POOL, None)
    quiet = [session(n) for n in range(2, 12)]
    return report(*quiet, pool=POOL, watching=Watching(samples=(sample,)))


def message(found: ConnectionReport) -> str:
    (finding,) = [finding for finding in found.findings if finding.rule == "CON001"]
    return finding.message


def advice(found: ConnectionReport) -> str:
    (recommendation,) = [each for each in found.recommendations if each.category == "pool_utilization"]
    return recommendation.action


def test_traps_27_39_a_pool_that_was_exhausted_for_half_a_second_is_not_called_warm() -> None:
    found = watched(busy=10)
    assert "100 % of the capacity is busy: the pool is about to be exhausted" in message(found)
    assert "POSTGRES_POOL_SIZE=20" in advice(found)
    assert found.summary.pool_busy_percent == 0


def test_a_pool_that_was_never_busy_is_still_called_warm() -> None:
    found = watched(busy=2)
    assert "only 20 % of the capacity is busy: the pool is warm" in message(found)
    assert "POSTGRES_POOL_SIZE" not in advice(found)


def test_where_busy_could_not_be_seen_nothing_is_said_of_it() -> None:
    hidden = [probe(n / 4, 3, active=None, idle=None) for n in range(8)]
    sample = fold(Interval(started_at=NOW, begin=0.0, end=2.0), hidden, POOL, None)
    assert sample.pool_busy_percent is None
    assert sample.pool_utilization_percent is not None
