"""How hard a pass may press: so much of the server's time, less when others have to wait, nothing after a deadline."""

import contextlib
import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dbvitals.collect.redis_wire import RefusedError, Wire

T = TypeVar("T")

PINGS = 15
"""Round trips that tell how fast the server answers before the pass."""

LOOK_SECONDS = 0.1
"""A PING this often tells whether it still does."""

LATE_FACTOR = 4.0
LATE_SECONDS = 0.002
"""An answer is late that takes so many times as long as before, and at least so much longer."""

LEAST_SHARE = 0.25
"""Of the duty that was asked for: a pass that slows down further would not end where others make the server slow."""

RECENT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Tempo:
    """Microseconds that a slice may take, and the share of time (0..1) in which the server works for the pass."""

    slice_us: int
    duty: float


DEFAULT = Tempo(slice_us=500, duty=0.5)
FAST = Tempo(slice_us=1000, duty=1.0)
GENTLE = Tempo(slice_us=250, duty=0.15)


class Pacer:
    """Rests between slices, and longer ones when PING is late. `clock` and `sleep` are those of `time`."""

    def __init__(
        self,
        tempo: Tempo,
        *,
        max_seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.tempo = tempo
        self.duty = tempo.duty
        self.slowed_down = 0
        self._clock = clock
        self._sleep = sleep
        self._deadline = None if max_seconds is None else clock() + max_seconds
        self._late_from = 0.0
        self._next_look = 0.0
        self._overslept = 0.0
        self._recent: deque[float] = deque(maxlen=RECENT)

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return self._deadline is not None and self._clock() >= self._deadline

    @property
    def ping_p99(self) -> float:
        """Seconds of the slowest of the last round trips but the worst in a hundred; 0 before the first."""
        return sorted(self._recent)[round(0.99 * (len(self._recent) - 1))] if self._recent else 0.0

    def learn(self, wire: Wire) -> None:
        """Measure how fast this server answers while we leave it alone."""
        usual = statistics.median(self._ping(wire) for _ in range(PINGS))
        self._late_from = max(usual * LATE_FACTOR, usual + LATE_SECONDS)
        self._next_look = self._clock() + LOOK_SECONDS

    def timed(self, work: Callable[[], T]) -> tuple[T, float]:
        """Give what the work gives, and the seconds that it took."""
        began = self._clock()
        result = work()
        return result, self._clock() - began

    def rest(self, wire: Wire, busy_seconds: float, since: float | None = None) -> None:
        """Leave the server alone after it worked `busy_seconds`; `since` (`time.monotonic`) it has been so already."""
        self.look(wire)
        now = self._clock()
        until = busy_seconds * (1 / self.duty - 1) + (now if since is None else since) - self._overslept
        if until > now:
            self._sleep(until - now)
            # A sleep ends late by what may be a fifth of it: the next one is so much shorter.
            self._overslept = self._clock() - until
        else:
            self._overslept = 0.0

    def look(self, wire: Wire) -> float:
        """Hold back by half while the median of the last three round trips is late; come back step by step.

        Gives the share of time (0..1) that the server may work for us.
        """
        if self._clock() < self._next_look:
            return self.duty
        took = self._ping(wire)
        self._next_look = self._clock() + LOOK_SECONDS
        lately = statistics.median([*list(self._recent)[-3:-1], took])
        if lately > self._late_from:
            self.slowed_down += 1
            self.duty = max(LEAST_SHARE * self.tempo.duty, self.duty / 2)
        else:
            self.duty = min(self.tempo.duty, self.duty * 1.25)
        return self.duty

    def _ping(self, wire: Wire) -> float:
        began = self._clock()
        with contextlib.suppress(RefusedError):  # an answer as well
            wire.call("PING")
        self._recent.append(self._clock() - began)
        return self._recent[-1]
