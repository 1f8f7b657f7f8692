"""Watches a server: a cheap look several times a second, details at each interval and whenever something appears."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Event

from dbvitals.collect.activity import ActivityReader, ProbeLimits, is_full
from dbvitals.collect.own_cost import Budget, ServerMeter
from dbvitals.errors import ServerError
from dbvitals.snapshot_activity import Back, Detailed, Looked, Lost, WatchEvent

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
"""Seconds between two attempts to connect again; each is twice as long as the one before."""

Open = Callable[[], AbstractContextManager[ActivityReader]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPlan:
    """How long, how often, and what is news; seconds."""

    interval: float
    duration: float
    """Infinity: until stopped."""
    limits: ProbeLimits
    refresh: float = math.inf
    """Between two details while nothing is new: for somebody who looks at a screen."""
    period: float = 0.25
    """Between two cheap looks: four a second see a peak of half a second."""


@dataclass(slots=True)
class Watch:
    """One watch. `stop` ends it early, after a last look at everything; `budget` tells what it costs."""

    open_reader: Open
    plan: WatchPlan
    stop: Event = field(default_factory=Event)
    budget: Budget = field(init=False)
    _began: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.budget = Budget(self.plan.period)

    def events(self) -> Iterator[WatchEvent]:
        """What happens, as it happens; the first and the last are details of everybody.

        Raises ServerError when the server cannot be reached at the beginning; later it is waited for.
        """
        self._began = time.monotonic()
        pause, away = FIRST_PAUSE, False
        while True:
            try:
                with self.open_reader() as reader:
                    if away:
                        yield Back(self.seconds)
                        away, pause = False, FIRST_PAUSE
                    yield from self._while_connected(reader)
                    return
            except ServerError as error:
                if self.budget.probes == 0:
                    raise
                yield Lost(self.seconds, error.what, is_full(error))
                away = True
            if self._is_over():
                return
            self.stop.wait(min(pause, max(0.0, self.plan.duration - self.seconds)))
            pause = min(LONGEST_PAUSE, pause * 2)

    def _while_connected(self, reader: ActivityReader) -> Iterator[WatchEvent]:
        self.budget.attach(ServerMeter(reader.server))
        yield self._everybody(reader, ends_interval=False)
        seen: set[tuple[str, int]] = set()
        refreshed = self.seconds
        due, interval_ends = time.monotonic(), self._next_interval()
        while not self._is_over():
            probe = reader.probe(self.plan.limits, round(self.seconds, 3))
            self.budget.note(probe.took_seconds)
            yield Looked(probe)
            news = {("lock", pid) for pid in probe.lock_waiters} | {("leak", pid) for pid in probe.leaking}
            if self.seconds >= interval_ends:
                interval_ends = self._next_interval()
                yield self._everybody(reader, ends_interval=True)
            elif news - seen or self.seconds >= refreshed + self.plan.refresh:
                refreshed = self.seconds
                yield Detailed(self.seconds, reader.waiting(), of_everybody=False, ends_interval=False)
            seen = news
            due = next_due(due, self.budget.period)
            self.stop.wait(max(0.0, min(due - time.monotonic(), self.plan.duration - self.seconds)))
        last = self._everybody(reader, ends_interval=True)
        # The server process ends with the connection, and what it used is not told any more.
        self.budget.finish()
        yield last

    def _everybody(self, reader: ActivityReader, *, ends_interval: bool) -> Detailed:
        return Detailed(self.seconds, reader.everything(), of_everybody=True, ends_interval=ends_interval)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def _next_interval(self) -> float:
        """When the interval ends that runs now; the last one ends with the watch, which reads everything anyway."""
        interval = self.plan.interval
        ends = (self.seconds // interval + 1) * interval
        return ends if ends < self.plan.duration - self.plan.period else math.inf

    def _is_over(self) -> bool:
        return self.stop.is_set() or self.seconds >= self.plan.duration


def next_due(due: float, period: float) -> float:
    """The next beat: a slow look neither shifts those after it nor lets them pile up."""
    now = time.monotonic()
    missed = max(0, int((now - due) // period))
    return due + (missed + 1) * period
