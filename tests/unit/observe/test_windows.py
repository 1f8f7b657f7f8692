"""Counting in windows, by a clock that the test turns."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from dbvitals.observe.windows import BOUNDS, WINDOW_SECONDS, WINDOWS_KEPT, WindowRecorder

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def recorder(now: float = 0.0) -> WindowRecorder:
    return WindowRecorder(now, NOON)


def test_bounds_rise_from_a_tenth_of_a_millisecond_to_minutes() -> None:
    assert list(BOUNDS) == sorted(set(BOUNDS))
    assert BOUNDS[0] == 0.0001
    assert BOUNDS[-1] == 700
    assert max(later / earlier for earlier, later in pairwise(BOUNDS)) < 1.7


def test_a_new_recorder_has_seen_nothing() -> None:
    window = recorder().recent(0.0)
    assert (window.checkouts, window.timeouts, window.seconds, window.since) == (0, 0, 0.0, NOON)
    assert (window.hold.count, window.hold.mean, window.hold.squared_variation) == (0, None, None)
    assert (window.arrivals_per_second_peak, window.arrival_variation) == (0.0, None)
    assert recorder().busiest(0.0) is None


def test_times_are_kept_exactly_in_sum_and_by_bucket() -> None:
    counted = recorder()
    for seconds in (0.001, 0.0011, 0.5, 900.0, 0.0):
        counted.held(1.0, seconds)
    hold = counted.recent(1.0).hold
    assert hold.count == 5
    assert hold.sum == pytest.approx(900.5021)
    assert hold.maximum == 900.0
    assert hold.counts[0] == 1
    assert hold.counts[hold.bounds.index(0.001)] == 1  # a bound belongs to the bucket below it
    assert hold.counts[hold.bounds.index(0.0015)] == 1
    assert hold.counts[-1] == 1
    assert (hold.above(0.1), hold.above(700), hold.above(0.0001)) == (2, 1, 4)


def test_variation_is_none_for_constant_times_and_one_for_exponential_ones() -> None:
    counted = recorder()
    for _ in range(10):
        counted.held(1.0, 0.25)
    assert counted.recent(1.0).hold.squared_variation == pytest.approx(0.0)
    for _ in range(10):
        counted.waited(1.0, 0.0)
        counted.waited(1.0, 2.0)
    assert counted.recent(1.0).wait.squared_variation == pytest.approx(1.0)


def test_the_peak_is_that_of_the_fullest_slot() -> None:
    counted = recorder()
    for second in range(60):
        for _ in range(50 if 20 <= second < 30 else 2):
            counted.arrived(second + 0.5)
    window = counted.recent(60.0)
    assert window.checkouts == 500 + 100
    assert window.arrivals_per_second_peak == 50.0


def test_a_peak_needs_a_whole_slot() -> None:
    counted = recorder()
    for _ in range(30):
        counted.arrived(0.1)
    assert counted.recent(0.2).arrivals_per_second_peak == 3.0


def variation(moments: Iterable[float]) -> float:
    counted = recorder()
    for moment in moments:
        counted.arrived(moment)
    found = counted.recent(600.0 - 1e-6).arrival_variation
    assert found is not None
    return found


def independent(rate: float, since: float = 0.0) -> Iterator[float]:
    chance, moment = random.Random(1), since
    while (moment := moment + chance.expovariate(rate)) < 590.0:
        yield moment


def test_steady_arrivals_do_not_vary() -> None:
    assert variation(number / 20 + 0.01 for number in range(590 * 20)) == pytest.approx(0.0, abs=0.02)


def test_independent_arrivals_vary_as_poisson_numbers_do() -> None:
    assert variation(independent(70)) == pytest.approx(1.0, abs=0.1)
    assert variation(independent(2)) == pytest.approx(1.0, abs=0.1)


def test_bursts_of_ten_vary_ten_times_as_much() -> None:
    bursts = (moment for moment in independent(5) for _ in range(10))
    assert variation(bursts) == pytest.approx(10.0, rel=0.1)


def test_a_load_that_begins_late_is_no_burst() -> None:
    assert variation(independent(70, since=302.0)) == pytest.approx(1.0, abs=0.1)


def test_the_last_window_is_read_together_with_the_one_that_runs() -> None:
    counted = recorder(1000.0)
    counted.arrived(1001.0)
    counted.held(1599.0, 0.1)
    counted.arrived(1601.0)
    counted.timed_out(1602.0)
    window = counted.recent(1610.0)
    assert (window.checkouts, window.timeouts, window.hold.count) == (2, 1, 1)
    assert (window.since, window.seconds) == (NOON, 610.0)


def test_what_is_long_past_is_not_recent() -> None:
    counted = recorder()
    counted.arrived(1.0)
    counted.timed_out(2.0)
    window = counted.recent(2.5 * WINDOW_SECONDS)
    assert (window.checkouts, window.timeouts) == (0, 0)
    assert window.since == NOON + timedelta(seconds=2 * WINDOW_SECONDS)
    assert counted.timeouts_total == 1


def test_the_busiest_window_is_the_one_with_the_most_connection_time() -> None:
    counted = recorder()
    for number, seconds in enumerate((1.0, 30.0, 2.0)):
        moment = number * WINDOW_SECONDS + 5.0
        counted.arrived(moment)
        counted.held(moment + 1.0, seconds)
    assert counted.busiest(2 * WINDOW_SECONDS + 10.0) is not None
    busiest = counted.busiest(3 * WINDOW_SECONDS)
    assert busiest is not None
    assert (busiest.hold.sum, busiest.seconds) == (30.0, WINDOW_SECONDS)
    assert busiest.since == NOON + timedelta(seconds=WINDOW_SECONDS)


def test_the_busiest_window_of_the_day_before_yesterday_is_forgotten() -> None:
    counted = recorder()
    counted.arrived(1.0)
    counted.held(2.0, 50.0)
    later = (WINDOWS_KEPT + 2) * WINDOW_SECONDS
    counted.arrived(later)
    counted.held(later, 1.0)
    busiest = counted.busiest(later + WINDOW_SECONDS)
    assert busiest is not None
    assert busiest.hold.sum == 1.0


def test_windows_keep_their_places_over_a_pause() -> None:
    counted = recorder()
    counted.arrived(1.0)
    counted.arrived(3.7 * WINDOW_SECONDS)
    window = counted.recent(3.8 * WINDOW_SECONDS)
    assert window.since == NOON + timedelta(seconds=3 * WINDOW_SECONDS)
    assert window.checkouts == 1
