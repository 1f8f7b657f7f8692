"""Hits and misses over a window: of the clients, not of ours; and what cannot be subtracted is left out and said."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvitals.analyse.hit_ratio import traffic, wilson
from tests.unit.cache.builders import NODE, NOW, counters, report, snapshot

LATER = NOW + timedelta(seconds=60)


def test_since_the_start_all_counters_are_added_up() -> None:
    other = counters(node="b:1", hits=5, misses=1, uptime_seconds=10)
    found = traffic(snapshot(before=(counters(hits=10, misses=4), other)))
    assert (found.source, found.hits, found.misses, found.seconds) == ("start", 15, 5, 86_400)
    assert found.ratio == 0.75


def test_no_reads_have_no_ratio_trap_5() -> None:
    summary = report(snapshot()).summary
    assert (summary.hit_ratio, summary.hit_ratio_interval) == (None, None)


def test_a_window_is_a_difference_without_our_own_reads_trap_1() -> None:
    before = counters(hits=100, misses=50, evicted_keys=3, own_hits=7)
    after = counters(hits=1_180, misses=75, evicted_keys=5, own_hits=1_007, own_misses=5, at=LATER)
    found = traffic(snapshot(before=(before,), after=(after,), window_seconds=60.0))
    assert (found.source, found.seconds, found.since) == ("window", 60.0, NOW)
    assert (found.hits, found.misses, found.own_hits, found.own_misses) == (80, 20, 1_000, 5)
    assert (found.evicted_keys, found.ratio) == (2, 0.8)


def test_since_a_saved_snapshot_what_it_read_itself_is_over() -> None:
    earlier = snapshot(after=(counters(hits=1_100, own_hits=1_000),))
    found = traffic(snapshot(before=(counters(hits=1_150, misses=50, at=LATER),)), earlier)
    assert (found.source, found.hits, found.misses) == ("saved", 50, 50)


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (counters(hits=5), "RESETSTAT"),
        (counters(hits=90, misses=0), "RESETSTAT"),
        (counters(hits=500, misses=99, run_id="b"), "started anew"),
        (counters(hits=500, misses=99, uptime_seconds=4), "started anew"),
        (counters(hits=500, misses=99, node="other:1"), "was not a primary"),
    ],
)
def test_counters_that_do_not_belong_together_are_left_out_trap_4(after: object, reason: str) -> None:
    before = counters(hits=90, misses=9)
    found = traffic(snapshot(before=(before,), after=(after,), window_seconds=1.0))
    assert (found.hits, found.misses, found.ratio) == (0, 0, None)
    assert reason in found.unusable[0]
    made = report(snapshot(before=(before,), after=(after,), window_seconds=1.0))
    assert "hits and misses of a node" in {skipped.part for skipped in made.incomplete}


def test_a_primary_that_is_gone_is_named_trap_10() -> None:
    found = traffic(snapshot(before=(counters(), counters(node="b:1")), after=(counters(),), window_seconds=1.0))
    assert found.unusable == ("b:1: it is no longer there, or no longer a primary of this Redis",)
    assert NODE not in found.unusable[0]


def test_a_node_of_which_the_earlier_run_saw_no_end_is_left_out_and_the_others_count() -> None:
    second = counters(node="b:1", hits=50)
    earlier = snapshot(before=(counters(hits=5), second), after=(counters(hits=9, own_hits=4),))
    found = traffic(snapshot(before=(counters(hits=19), second)), earlier)
    assert (found.hits, len(found.unusable)) == (10, 1)
    assert found.unusable[0].startswith("b:1: the run that wrote the --since file was stopped")


def test_the_interval_is_wilsons() -> None:
    low, high = wilson(7, 10) or (0, 0)
    assert (round(low, 4), round(high, 4)) == (0.3968, 0.8922)
    assert wilson(0, 0) is None


@given(trials=st.integers(1, 10**9), data=st.data())
def test_the_interval_holds_the_ratio_and_stays_within_bounds(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = wilson(successes, trials) or (1, 0)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
