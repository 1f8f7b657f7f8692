"""Counts what a pool does, in windows of some minutes: the last ones, and the busiest one of the last day."""

import threading
from bisect import bisect_left
from collections import deque
from datetime import datetime, timedelta

from dbvitals.snapshot_pool import BINS_IN_SLOT, SLOT_SECONDS, Durations, PoolWindow

# Steps of at most 1.7: fine enough to sample a distribution from, few enough to read.
BOUNDS = tuple(round(digit * 10.0**power, 6) for power in range(-4, 3) for digit in (1, 1.5, 2, 3, 5, 7))
# Long enough for a few thousand checkouts of a busy service, short enough to tell the peak from the day.
WINDOW_SECONDS = 600.0
WINDOWS_KEPT = 144


class Times:
    """A growing histogram of seconds."""

    __slots__ = ("counts", "maximum", "squares", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0
        self.squares = 0.0
        self.maximum = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds
        self.squares += seconds * seconds
        if seconds > self.maximum:
            self.maximum = seconds

    def add_all(self, other: "Times") -> None:
        """Count all of another one's."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total += other.total
        self.squares += other.squares
        self.maximum = max(self.maximum, other.maximum)

    def frozen(self) -> Durations:
        """As a value."""
        return Durations(
            bounds=BOUNDS,
            counts=tuple(self.counts),
            sum=self.total,
            sum_of_squares=self.squares,
            maximum=self.maximum,
        )


class Arrivals:
    """How many came, how many at most in one slot, and how unevenly within slots."""

    __slots__ = (
        "_began",
        "_bin",
        "_in_bin",
        "_in_slot",
        "_slot",
        "_squares",
        "above_mean",
        "count",
        "fullest",
        "independent",
    )

    def __init__(self, began: float) -> None:
        self.count = 0
        self._began = began
        self._slot = self._in_slot = self.fullest = 0
        self._bin = self._in_bin = self._squares = 0
        self.above_mean = self.independent = 0.0

    def arrived(self, now: float) -> None:
        """Somebody came."""
        self.end_slot(now)
        place = int((now - self._began) / SLOT_SECONDS * BINS_IN_SLOT)
        if place != self._bin:
            self._end_bin(place)
        self.count += 1
        self._in_slot += 1
        self._in_bin += 1

    def end_slot(self, now: float) -> None:
        """Begin a new slot when the time of this one is over."""
        slot = int((now - self._began) / SLOT_SECONDS)
        if slot == self._slot:
            return
        self._end_bin(slot * BINS_IN_SLOT)
        self.fullest = max(self.fullest, self._in_slot)
        self.above_mean += self._squares - self._in_slot**2 / BINS_IN_SLOT
        # As much as if all had come independently: the variance of a Poisson number is its mean.
        self.independent += self._in_slot * (1 - 1 / BINS_IN_SLOT)
        self._slot, self._in_slot, self._squares = slot, 0, 0

    def peak(self, seconds: float) -> float:
        """Arrivals a second in the fullest slot that has ended; before the first one has, the mean stands for it."""
        return max(self.fullest / SLOT_SECONDS, self.count / max(seconds, SLOT_SECONDS))

    @property
    def variation(self) -> float | None:
        """See PoolWindow.arrival_variation."""
        return self.above_mean / self.independent if self.independent else None

    def add_all(self, other: "Arrivals") -> None:
        """Count all of an earlier window's, whose last slot has ended."""
        self.count += other.count
        self.fullest = max(self.fullest, other.fullest)
        self.above_mean += other.above_mean
        self.independent += other.independent

    def _end_bin(self, place: int) -> None:
        self._squares += self._in_bin**2
        self._bin, self._in_bin = place, 0


class _Window:
    """A window that still grows. Times are the monotonic clock's."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.wait, self.hold, self.create = Times(), Times(), Times()
        self.arrivals = Arrivals(began)
        self.timeouts = 0

    def add_all(self, other: "_Window") -> None:
        self.wait.add_all(other.wait)
        self.hold.add_all(other.hold)
        self.create.add_all(other.create)
        self.arrivals.add_all(other.arrivals)
        self.timeouts += other.timeouts

    def frozen(self, since: datetime, seconds: float) -> PoolWindow:
        """As a value."""
        return PoolWindow(
            since=since,
            seconds=seconds,
            checkouts=self.arrivals.count,
            timeouts=self.timeouts,
            wait=self.wait.frozen(),
            hold=self.hold.frozen(),
            create=self.create.frozen(),
            arrivals_per_second_peak=self.arrivals.peak(seconds),
            arrival_variation=self.arrivals.variation,
        )


class WindowRecorder:
    """What a pool does, counted by any thread. `now` is the monotonic clock's, in seconds."""

    def __init__(self, now: float, wall: datetime) -> None:
        """`wall` is what the calendar says at `now`."""
        self._began, self._wall = now, wall
        # Reentrant: the garbage collector gives connections back in the middle of anything, a count too.
        self._lock = threading.RLock()
        self._current = _Window(now)
        self._previous: _Window | None = None
        self._ended: deque[PoolWindow] = deque(maxlen=WINDOWS_KEPT)
        self.timeouts_total = 0

    def arrived(self, now: float) -> None:
        """Somebody asked for a connection."""
        with self._lock:
            self._at(now).arrivals.arrived(now)

    def waited(self, now: float, seconds: float) -> None:
        """Somebody's turn came, or they gave up."""
        with self._lock:
            self._at(now).wait.add(seconds)

    def timed_out(self, now: float) -> None:
        """The pool gave up on somebody."""
        with self._lock:
            self._at(now).timeouts += 1
            self.timeouts_total += 1

    def created(self, now: float, seconds: float) -> None:
        """A connection was made."""
        with self._lock:
            self._at(now).create.add(seconds)

    def held(self, now: float, seconds: float) -> None:
        """A connection was given back."""
        with self._lock:
            self._at(now).hold.add(seconds)

    def recent(self, now: float) -> PoolWindow:
        """The window that runs, with the one before it."""
        with self._lock:
            current = self._at(now)
            current.arrivals.end_slot(now)
            both = _Window(self._previous.began if self._previous else current.began)
            for window in (self._previous, current):
                if window is not None:
                    both.add_all(window)
            return both.frozen(self._calendar(both.began), now - both.began)

    def busiest(self, now: float) -> PoolWindow | None:
        """Of the windows of the last day that have ended, the one with the most connection time in it."""
        with self._lock:
            self._at(now)
            day_ago = self._calendar(now) - timedelta(seconds=WINDOW_SECONDS * WINDOWS_KEPT)
            return max(
                (window for window in self._ended if window.since >= day_ago),
                key=lambda window: window.hold.sum,
                default=None,
            )

    def _at(self, now: float) -> _Window:
        passed = now - self._current.began
        if passed >= WINDOW_SECONDS:
            self._end(now, passed)
        return self._current

    def _end(self, now: float, passed: float) -> None:
        ended = self._current
        ended.arrivals.end_slot(ended.began + WINDOW_SECONDS)
        if ended.arrivals.count:
            self._ended.append(ended.frozen(self._calendar(ended.began), WINDOW_SECONDS))
        self._previous = ended if passed < 2 * WINDOW_SECONDS else None
        self._current = _Window(now - passed % WINDOW_SECONDS)

    def _calendar(self, moment: float) -> datetime:
        return self._wall + timedelta(seconds=moment - self._began)
