"""Waiting times against values that are known in closed form."""

import math

import pytest

from dbvitals.analyse.queueing import Play, Traffic, mean_wait, probability_of_waiting, quantile
from dbvitals.observe.windows import Times


def traffic(rate: float, *holds: float, variation: float = 1.0) -> Traffic:
    times = Times()
    for seconds in holds:
        times.add(seconds)
    return Traffic(rate, variation, times.frozen())


@pytest.mark.parametrize(
    ("size", "load", "probability"),
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (10, 8.0, 0.4092), (3, 0.0, 0.0), (4, 4.0, 1.0), (4, 9.0, 1.0)],
)
def test_erlangs_probability(size: int, load: float, probability: float) -> None:
    assert probability_of_waiting(size, load) == pytest.approx(probability, abs=1e-4)


def test_hundreds_of_connections_overflow_nothing() -> None:
    assert 0 < probability_of_waiting(1000, 950) < 1


def test_the_mean_of_one_server_is_that_of_pollaczek_and_khinchine() -> None:
    # Constant holding times: rho * S / (2 * (1 - rho)).
    assert mean_wait(1, traffic(5.0, 0.1)) == pytest.approx(0.05)
    assert mean_wait(1, traffic(10.0, 0.1)) == math.inf


def test_playing_agrees_with_the_formula_where_that_is_exact() -> None:
    waits = Play(traffic(5.0, 0.1), seed=1).waits(1)
    assert sum(waits) / len(waits) == pytest.approx(0.05, rel=0.1)


def test_as_many_connections_as_there_are_guests_leave_nobody_waiting() -> None:
    assert Play(traffic(5.0, 0.1, 0.2, 4.0), seed=1).waits(1000)[-1] == 0.0


def test_the_smallest_size_is_the_smallest() -> None:
    play = Play(traffic(50.0, 0.05, 0.05, 0.05, 0.6), seed=3)
    smallest = play.smallest(10, 0.95, 0.02)
    assert quantile(play.waits(smallest), 0.95) <= 0.02
    assert smallest == 10 or quantile(play.waits(smallest - 1), 0.95) > 0.02
    assert play.smallest(500, 0.95, 0.02) == 500


def test_no_time_at_all_is_no_wait() -> None:
    assert Play(traffic(50.0, 0.0), seed=1).waits(1)[-1] == 0.0


@pytest.mark.parametrize("variation", [0.0, 1e9])
def test_variations_beyond_all_measure_are_played_all_the_same(variation: float) -> None:
    assert math.isfinite(Play(traffic(5.0, 0.1, variation=variation), seed=1).waits(2)[-1])


def test_a_quantile_of_few_is_one_of_them() -> None:
    assert quantile([1.0], 0.95) == 1.0
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
