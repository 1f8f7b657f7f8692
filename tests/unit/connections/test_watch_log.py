"""What a watch keeps: peaks, time above the threshold, gaps, and what came and went."""

from dbvitals.analyse.fleet import PoolConfig
from dbvitals.analyse.samples import Interval, fold
from dbvitals.analyse.watch_log import MOST_SIGHTINGS, WatchLog
from dbvitals.snapshot_activity import ActivitySnapshot, Back, Detailed, Looked, Lost
from tests.unit.connections.builders import NOW, probe, question, session, snapshot

POOL = PoolConfig(size=10, max_overflow=0)


def interval(end: float, gap: float = 0.0) -> Interval:
    return Interval(started_at=NOW, begin=0.0, end=end, gap_seconds=gap)


def test_trap_27_the_peak_of_half_a_second_is_kept() -> None:
    totals = [3] * 38 + [9, 9]
    sample = fold(interval(10), [probe(n / 4, total) for n, total in enumerate(totals)], POOL, 80.0)
    assert sample.total_connections is not None
    assert (sample.total_connections.minimum, sample.total_connections.peak) == (3, 9)
    assert sample.total_connections.mean == 3.3
    assert sample.above_threshold_seconds == 0.5


def test_a_pool_without_limit_and_hidden_states_give_no_figures() -> None:
    hidden = probe(0, 3, active=None, idle=None, idle_in_transaction=None, long_running=None, blocked=None)
    sample = fold(interval(1), [hidden], PoolConfig(size=0, max_overflow=-1), 80.0)
    assert sample.active_connections is None
    assert sample.pool_utilization_percent is None
    assert sample.above_threshold_seconds is None
    assert fold(interval(1), [], POOL, 80.0).total_connections is None


def log() -> WatchLog:
    return WatchLog(question_of=lambda seen: question(pool=POOL), threshold=None)


def details(seconds: float, seen: ActivitySnapshot, *, ends: bool = False) -> Detailed:
    return Detailed(seconds, seen, of_everybody=ends, ends_interval=ends)


ROOT = session(1, "idle in transaction", state_seconds=1.0)
VICTIM = session(3, "active", blocked_by=(1,))
TREE = snapshot(ROOT, VICTIM)
QUIET = snapshot(session(1), session(3))


def test_a_tree_is_news_once_and_again_after_it_was_gone() -> None:
    watch = log()
    assert watch.note(details(0, QUIET), {}) == ()
    assert len(watch.note(details(1, TREE), {})) == 1
    assert watch.note(details(2, TREE), {}) == ()
    assert watch.note(details(3, QUIET), {}) == ()
    assert len(watch.note(details(4, TREE), {})) == 1
    assert [(s.first_seconds, s.last_seconds) for s in watch.sightings] == [(1, 2), (4, 4)]


def test_a_long_watch_forgets_what_did_not_last() -> None:
    watch = log()
    watch.note(details(0, TREE), {})
    watch.note(details(5, TREE), {})
    for number in range(2 * MOST_SIGHTINGS):
        watch.note(details(6 + number, TREE if number % 2 else QUIET), {})
    assert len(watch.sightings) == MOST_SIGHTINGS
    assert watch.sightings[0].last_seconds == 5


def test_trap_54_a_gap_has_a_beginning_an_end_and_a_reason() -> None:
    watch = log()
    watch.note(details(0, TREE), {})
    watch.note(Looked(probe(0.5, 4)), {})
    watch.note(Lost(1.0, "away", full=False), {})
    watch.note(Lost(2.0, "still away", full=False), {})
    watch.note(Back(4.0), {})
    fresh = watch.note(details(5.0, TREE, ends=True), {})
    assert [(gap.seconds, gap.why) for gap in watch.gaps] == [(3.0, "away")]
    assert [sample.gap_seconds for sample in watch.samples] == [3.0]
    assert len(fresh) == 1, "process ids of before mean nothing"


def test_a_watch_that_ends_without_a_server_says_so() -> None:
    watch = log()
    watch.note(details(0, QUIET), {})
    watch.note(Looked(probe(0.5, 4)), {})
    watch.note(Lost(1.0, "away", full=True), {})
    watch.finish(3.0)
    assert watch.lost is not None
    assert watch.lost.full
    assert [gap.seconds for gap in watch.gaps] == [2.0]
    assert [sample.probes for sample in watch.samples] == [1]
