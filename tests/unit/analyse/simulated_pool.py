"""A pool in a simulation whose truth is known: who comes when, holds for how long, and waits."""

import heapq
import math
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from dbvitals.observe.windows import WindowRecorder
from dbvitals.snapshot_pool import POOL_SCHEMA_VERSION, HeldConnection, PoolObservation, PoolState, PoolWindow

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HoldingTime = Callable[[random.Random], float]


def exponential(chance: random.Random) -> float:
    return chance.expovariate(1 / 0.057)


def mostly_short(chance: random.Random) -> float:
    """One in ten holds ten times as long: CV² of about 5."""
    return chance.expovariate(1 / chance.choices((0.03, 0.3), (9, 1))[0])


def lognormal(chance: random.Random) -> float:
    return chance.lognormvariate(math.log(0.03), 1.1)


def pareto(chance: random.Random) -> float:
    return min(5.0, 0.02 * chance.paretovariate(1.8))


def constant(_: random.Random) -> float:
    return 0.05


class Visit(NamedTuple):
    """One who comes."""

    arrival: float
    hold: float


class Service(NamedTuple):
    """So many come in a second, in groups of `together`."""

    holds: HoldingTime
    rate: float = 70.0
    together: int = 1

    def visits(self, seconds: float, seed: int) -> Iterator[Visit]:
        """Everybody who comes."""
        chance, moment = random.Random(seed), 0.0
        while (moment := moment + chance.expovariate(self.rate / self.together)) < seconds:
            for _ in range(self.together):
                yield Visit(moment, self.holds(chance))


def waits(visits: list[Visit], size: int) -> list[float]:
    """How long each waits for one of so many connections, first come, first served."""
    free_at = [0.0] * size
    found = []
    for visit in visits:
        start = max(visit.arrival, free_at[0])
        heapq.heapreplace(free_at, start + visit.hold)
        found.append(start - visit.arrival)
    return found


def p95(found: list[float]) -> float:
    return sorted(found)[int(0.95 * len(found))]


def recorded(visits: list[Visit], size: int, seconds: float) -> PoolWindow:
    """What the recorder counts of it."""
    recorder = WindowRecorder(0.0, NOON)
    events = []
    for visit, wait in zip(visits, waits(visits, size), strict=True):
        start = visit.arrival + wait
        events.append((visit.arrival, 0, 0.0))
        events.append((start, 1, wait))
        events.append((start + visit.hold, 2, visit.hold))
    for moment, kind, value in sorted(events):
        if moment > seconds:
            break
        if kind == 0:
            recorder.arrived(moment)
        elif kind == 1:
            recorder.waited(moment, value)
        else:
            recorder.held(moment, value)
    return recorder.recent(seconds)


def observation(
    window: PoolWindow,
    *,
    size: int | None,
    max_overflow: int | None = 0,
    busiest: PoolWindow | None = None,
    connections: tuple[HeldConnection, ...] = (),
) -> PoolObservation:
    return PoolObservation(
        schema_version=POOL_SCHEMA_VERSION,
        application="test",
        process=1,
        taken_at=NOON,
        pool=PoolState(
            name="main",
            size=size,
            max_overflow=max_overflow,
            checked_out=len(connections),
            idle=0,
            pending=0,
            timeouts_total=0,
        ),
        window=window,
        busiest=busiest,
        connections=connections,
    )
