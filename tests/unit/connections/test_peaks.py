"""A peak that is over when the watch ends is judged as what it was, and not by the quiet after it."""

from dbvitals.analyse.connection_report import ConnectionReport
from dbvitals.analyse.connections import Watching
from dbvitals.analyse.fleet import PoolConfig
from dbvitals.analyse.samples import Interval, fold
from dbvitals.snapshot_activity import Session
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


def watched_figures(*now: Session, **peaks: int) -> ConnectionReport:
    """One look of the watch has these figures, the others none; at its end there are the sessions `now`."""
    looks = [probe(n / 4, 6, **(peaks if n == 4 else {})) for n in range(8)]
    return report(
        *now, watching=Watching(samples=(fold(Interval(started_at=NOW, begin=0.0, end=2.0), looks, POOL, None),))
    )


def found_of(found: ConnectionReport, rule: str) -> list[str]:
    return [finding.message for finding in found.findings if finding.rule == rule]


def test_transactions_that_were_idle_at_the_peak_are_con002() -> None:
    found = watched_figures(session(2), idle_in_transaction=5)
    words = "5 connections were idle in transaction at the peak, 0 at the end"
    assert found_of(found, "CON002") == [words]
    (advice,) = [each for each in found.recommendations if each.category == "idle_in_transaction"]
    assert advice.message.startswith(words)
    assert found_of(watched_figures(session(2), idle_in_transaction=3), "CON002") == []


def test_long_queries_that_ended_before_the_watch_did_are_con003() -> None:
    found = watched_figures(session(2), long_running=2)
    assert found_of(found, "CON003") == ["2 queries at a time ran for more than 30 s at the peak, 0 at the end"]
    (advice,) = [each for each in found.recommendations if each.category == "long_running_queries"]
    assert advice.message.startswith("Queries that run for too long: 2.")


def test_a_long_query_that_still_runs_is_told_once() -> None:
    found = watched_figures(session(2, "active", query_seconds=40.0), long_running=1)
    assert [message.partition(";")[0] for message in found_of(found, "CON003")] == ["a query runs for 40 s"]
