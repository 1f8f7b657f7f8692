"""How large a pool should be: from the arrivals and holding times that were measured, within what the server gives."""

import math
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dbvitals.analyse.queueing import Play, Traffic, mean_wait, quantile
from dbvitals.snapshot_pool import SLOT_SECONDS, PoolObservation, PoolWindow

SHARE = 0.95
# Fewer tell too little of the longest five in a hundred.
FEWEST_CHECKOUTS = 500
# From here on the queue feeds on itself: holding times grow with the load, and waits by far more than the load does.
MOST_UTILISATION = 0.9
# Of all connection time; more of it in connections that are still out makes the measured holding times too short.
MOST_STILL_OUT = 0.2
# How far chance alone lifts the fullest slot above the mean: three standard deviations.
DEVIATIONS = 3.0
# Overflow is for bursts: a connection beyond the size is closed when it is given back, and costs a login each time.
OVERFLOW_SHARE = 0.5

Why = Literal["too few", "time-outs", "overload", "still out", "no supply"]


class WaitTarget(Struct, frozen=True, kw_only=True):
    """How long one may wait for a connection: of a hundred, 95 at most so long."""

    p95_seconds: float = 0.010


class PoolSupply(Struct, frozen=True, kw_only=True):
    """The connections that the server (or PgBouncer) gives to all processes together; None when that is not known."""

    connections: int | None = None
    processes: int = 1

    @property
    def of_each(self) -> int | None:
        """What one process may have, size and overflow together."""
        return None if self.connections is None else self.connections // max(1, self.processes)


class Refusal(Struct, frozen=True, kw_only=True):
    """Why no size can be told, and what to do before measuring again."""

    why: Why
    message: str
    mend: str


class Prediction(Struct, frozen=True, kw_only=True):
    """How it goes with so many connections. Waits are seconds, None when the queue would grow without end.

    `mean_wait` and `p95_wait` come of playing the measured holding times through; `mean_wait_by_formula` is Allen's and
    Cunneen's, which knows of them the mean and the variance alone, and so errs by half with rare long ones.
    """

    connections: int
    utilisation: float
    mean_wait: float | None
    p95_wait: float | None
    mean_wait_by_formula: float | None


class PoolAdvice(Struct, frozen=True, kw_only=True):
    """The size for one process, or why there is none.

    `needed` is the smallest size that meets the target at the peak, `pool_size` the same within the supply. `measured`
    is the mean wait that was measured, and `today` what the model says of the pool as it is, at the mean rate: how far
    the two lie apart tells how far the model can be trusted. `proposed` is at the peak.
    """

    window: PoolWindow
    arrivals_per_second: float
    load: float
    hold_mean: float | None
    hold_variation: float | None
    measured_mean_wait: float | None
    refused: Refusal | None = None
    today: Prediction | None = None
    needed: int | None = None
    pool_size: int | None = None
    max_overflow: int | None = None
    proposed: Prediction | None = None

    @property
    def capped(self) -> bool:
        """Whether the server cannot give what the target needs."""
        return self.needed is not None and self.pool_size is not None and self.pool_size < self.needed


def size_pool(observation: PoolObservation, target: WaitTarget, supply: PoolSupply, seed: int = 1) -> PoolAdvice:
    """Size the pool of one process by its busiest window. Of several processes take the busiest one's observation."""
    window = _busier(observation)
    mean = _traffic(window, window.checkouts / window.seconds if window.seconds else 0.0)
    peak = _traffic(window, _peak_rate(window, mean))
    seen = PoolAdvice(
        window=window,
        arrivals_per_second=peak.arrivals_per_second,
        load=peak.load,
        hold_mean=window.hold.mean,
        hold_variation=window.hold.squared_variation,
        measured_mean_wait=window.wait.mean,
    )
    refused = _refusal(observation, window, mean, supply)
    if refused is not None:
        return replace(seen, refused=refused)
    play = Play(peak, seed)
    needed = play.smallest(max(1, math.floor(peak.load) + 1), SHARE, target.p95_seconds)
    allowed = supply.of_each
    size = needed if allowed is None else min(needed, allowed)
    overflow = math.ceil(size * OVERFLOW_SHARE)
    capacity = observation.pool.capacity
    return replace(
        seen,
        today=None if capacity is None else _predict(capacity, mean, Play(mean, seed)),
        needed=needed,
        pool_size=size,
        max_overflow=overflow if allowed is None else min(overflow, allowed - size),
        proposed=_predict(size, peak, play),
    )


def _busier(observation: PoolObservation) -> PoolWindow:
    """The window with more connections out on average."""
    windows = [observation.window] if observation.busiest is None else [observation.window, observation.busiest]
    return max(windows, key=lambda window: window.hold.sum / window.seconds if window.seconds else 0.0)


def _traffic(window: PoolWindow, rate: float) -> Traffic:
    variation = 1.0 if window.arrival_variation is None else window.arrival_variation
    return Traffic(rate, variation, window.hold)


def _peak_rate(window: PoolWindow, mean: Traffic) -> float:
    """The fullest slot's rate, unless chance explains it: who arrives independently does not arrive evenly."""
    by_chance = DEVIATIONS * math.sqrt(max(1.0, mean.arrival_variation) * mean.arrivals_per_second / SLOT_SECONDS)
    peak = window.arrivals_per_second_peak
    return peak if peak > mean.arrivals_per_second + by_chance else mean.arrivals_per_second


def _predict(size: int, traffic: Traffic, play: Play) -> Prediction:
    endless = traffic.load >= size
    waits = [] if endless else play.waits(size)
    return Prediction(
        connections=size,
        utilisation=traffic.load / size,
        mean_wait=sum(waits) / len(waits) if waits else None,
        p95_wait=quantile(waits, SHARE) if waits else None,
        mean_wait_by_formula=None if endless else mean_wait(size, traffic),
    )


def _refusal(observation: PoolObservation, window: PoolWindow, mean: Traffic, supply: PoolSupply) -> Refusal | None:
    """The first reason that there is."""
    checks = (
        _too_few(window),
        _timed_out(window),
        _still_out(observation, window),
        _overloaded(observation.pool.capacity, window, mean),
        _no_supply(supply),
    )
    return next((refusal for refusal in checks if refusal is not None), None)


def _too_few(window: PoolWindow) -> Refusal | None:
    if min(window.checkouts, window.hold.count) >= FEWEST_CHECKOUTS:
        return None
    return Refusal(
        why="too few",
        message=f"{window.hold.count} connections were taken and given back in {window.seconds:.0f} s:"
        f" fewer than {FEWEST_CHECKOUTS} tell too little",
        mend="measure under the load of a usual day",
    )


def _timed_out(window: PoolWindow) -> Refusal | None:
    if not window.timeouts:
        return None
    return Refusal(
        why="time-outs",
        message=f"{window.timeouts} of {window.checkouts} waits ended in a time-out:"
        " what those would have held is not known, and overload lengthens what the others hold",
        mend="mend what holds connections for long, or give the pool room, and measure again",
    )


def _still_out(observation: PoolObservation, window: PoolWindow) -> Refusal | None:
    out = sum(min(held.seconds, window.seconds) for held in observation.connections)
    if out <= MOST_STILL_OUT * (window.hold.sum + out):
        return None
    longest = max(observation.connections, key=lambda held: held.seconds)
    return Refusal(
        why="still out",
        message=f"connections that are still out make {100 * out / (window.hold.sum + out):.0f} % of all connection"
        f" time, the longest for {longest.seconds:.0f} s, from {longest.site or 'an unknown line'}",
        mend="mend what does not give its connection back: no size is enough for a leak",
    )


def _overloaded(capacity: int | None, window: PoolWindow, mean: Traffic) -> Refusal | None:
    if capacity is None:
        return None
    mend = "give the pool room or take load away, and measure again"
    if mean.load >= MOST_UTILISATION * capacity:
        return Refusal(
            why="overload",
            message=f"the load needs {mean.load:.1f} of the pool's {capacity} connections on average:"
            " overload lengthens the holding times themselves",
            mend=mend,
        )
    if (window.wait.mean or 0.0) > (window.hold.mean or 0.0):
        return Refusal(
            why="overload",
            message=f"one waits for {window.wait.mean:.3f} s on average, longer than one holds a connection:"
            " overload lengthens the holding times themselves",
            mend=mend,
        )
    return None


def _no_supply(supply: PoolSupply) -> Refusal | None:
    if supply.of_each is None or supply.of_each > 0:
        return None
    return Refusal(
        why="no supply",
        message=f"the server gives {supply.connections} connections to {supply.processes} processes",
        mend="put PgBouncer in transaction mode between them, or raise max_connections",
    )
