"""Waiting for one of several servers: the mean by a formula, and the whole distribution by playing it through.

A pool of `size` connections is a queue with that many servers, first come, first served. `load` is arrivals a second
times the mean holding time: how many connections are out on average (Little's law).
"""

import bisect
import heapq
import itertools
import math
import random
from collections.abc import Sequence
from typing import NamedTuple

from dbvitals.snapshot_pool import Durations

# Of those that are played through, the first meet an empty queue, and are left out.
ARRIVALS = 100_000
WARM_UP = 10_000
# Gamma-distributed gaps of a smaller variation are a clock's ticks, and of a larger one do not differ.
LEAST_VARIATION, MOST_VARIATION = 0.05, 50.0


class Traffic(NamedTuple):
    """Who comes, and for how long they hold a connection.

    `arrival_variation` is 1 for those who come independently; `holds` is a histogram with at least one duration.
    """

    arrivals_per_second: float
    arrival_variation: float
    holds: Durations

    @property
    def load(self) -> float:
        """Connections out on average, when nobody has to wait for long."""
        return self.arrivals_per_second * (self.holds.mean or 0.0)


def probability_of_waiting(size: int, load: float) -> float:
    """Erlang's C: the share of independent arrivals that find all connections out. 1 when there are too few."""
    if load >= size:
        return 1.0
    # Erlang's B by its recurrence, which cannot overflow as factorials do.
    blocked = 1.0
    for number in range(1, size + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked / (1 - load / size * (1 - blocked))


def mean_wait(size: int, traffic: Traffic) -> float:
    """Allen's and Cunneen's approximation, in seconds; infinite when there are too few.

    Erlang's formula holds for exponential times; both variations correct it (Allen, Probability, Statistics, and
    Queueing Theory, 2nd ed., 1990, section 5.3).
    """
    load = traffic.load
    if load >= size:
        return math.inf
    variation = (traffic.arrival_variation + (traffic.holds.squared_variation or 0.0)) / 2
    exponential = probability_of_waiting(size, load) * (traffic.holds.mean or 0.0) / (size - load)
    return exponential * variation


class Play:
    """One course of arrivals and holding times, drawn from the traffic; the same for every size of the pool.

    So a larger pool is never worse by chance, and the same seed gives the same answer.
    """

    def __init__(self, traffic: Traffic, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 -- a simulation, not a secret
        self._arrivals = list(itertools.accumulate(_gaps(traffic, chance)))
        self._holds = _holds(traffic.holds, chance)

    def waits(self, size: int) -> list[float]:
        """The waits in seconds, in ascending order."""
        free_at = [0.0] * size
        waits = []
        for arrival, hold in zip(self._arrivals, self._holds, strict=True):
            start = max(arrival, free_at[0])
            heapq.heapreplace(free_at, start + hold)
            waits.append(start - arrival)
        return sorted(waits[WARM_UP:])

    def smallest(self, least: int, share: float, wait: float) -> int:
        """The smallest size, from `least` on, whose quantile is at most `wait`."""
        enough = least
        while quantile(self.waits(enough), share) > wait:
            enough *= 2
        sizes = range(enough // 2 + 1 if enough > least else least, enough)
        return sizes.start + bisect.bisect_left(
            sizes, x=True, key=lambda size: quantile(self.waits(size), share) <= wait
        )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that so large a share of them do not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _gaps(traffic: Traffic, chance: random.Random) -> list[float]:
    """Times between arrivals, whose mean is the exact one."""
    variation = min(max(traffic.arrival_variation, LEAST_VARIATION), MOST_VARIATION)
    drawn = [chance.gammavariate(1 / variation, variation) for _ in range(ARRIVALS)]
    scale = ARRIVALS / (sum(drawn) * traffic.arrivals_per_second)
    return [scale * gap for gap in drawn]


def _holds(durations: Durations, chance: random.Random) -> list[float]:
    """Holding times in random order, evenly within each bucket, whose mean is the exact one.

    Each bucket has its exact share of them: the rare long ones decide, and chance would have too few or too many.
    """
    ends = [round(upto * ARRIVALS / durations.count) for upto in itertools.accumulate(durations.counts)]
    drawn = []
    for (low, high), begin, end in zip(_edges(durations), [0, *ends], ends, strict=False):
        drawn += [low + (high - low) * (number + 0.5) / (end - begin) for number in range(end - begin)]
    chance.shuffle(drawn)
    total = sum(drawn)
    scale = (durations.mean or 0.0) * ARRIVALS / total if total else 0.0
    return [scale * seconds for seconds in drawn]


def _edges(durations: Durations) -> Sequence[tuple[float, float]]:
    lows = (0.0, *durations.bounds)
    highs = (*durations.bounds, max(durations.maximum, durations.bounds[-1]))
    return [(low, max(low, min(high, durations.maximum))) for low, high in zip(lows, highs, strict=True)]
