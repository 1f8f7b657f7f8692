"""The circuit breaker's rules within one process: what holds while Redis is away."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class State(IntEnum):
    """Of a circuit breaker; the numbers are those of `pms_circuit_breaker_state`."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2


class Outcome(StrEnum):
    """How an allowed call ended. Neutral says nothing about the other side: we were cancelled, or wrong ourselves."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a breaker opens and closes; times in seconds."""

    failures: int = 5
    """It opens at so many failures within the window …"""
    share: float = 0.5
    """… when they are at least this share of the calls: a busy PMS always fails a few."""
    window: float = 30.0
    open_for: float = 5.0
    """From opening to half-open."""
    jitter: float = 0.2
    """Opens longer by up to this share, so that the breakers of several PMS do not probe together."""
    probes: int = 2
    """So many calls are let through while half-open; when all succeed it closes, when one fails it opens."""
    probe_for: float = 15.0
    """A probe that is not heard of for so long has died. Longer than any call may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A breaker's answer to one caller: `epoch` goes back with the outcome; `wait` is seconds to the next try."""

    state: State
    allowed: bool
    epoch: int
    wait: float


class LocalBreaker:
    """One process's own breaker; the same rules as in lua/breaker_*.lua, which a test holds both to."""

    def __init__(self, policy: BreakerPolicy, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._epoch = 0
        self._half_open_at: float | None = None
        self._passed = 0
        self._probes: dict[str, float] = {}
        self._calls: deque[tuple[float, bool]] = deque()

    def admit(self, token: str) -> Admission:
        """Ask for leave to call."""
        now, state = self._clock(), self._state()
        if state is not State.HALF_OPEN:
            wait = self._half_open_at - now if self._half_open_at is not None else 0.0
            return Admission(state=state, allowed=state is State.CLOSED, epoch=self._epoch, wait=wait)
        self._probes = {probe: until for probe, until in self._probes.items() if until > now}
        if self._passed + len(self._probes) >= self._policy.probes:
            wait = min(self._probes.values(), default=now + self._policy.probe_for) - now
            return Admission(state=state, allowed=False, epoch=self._epoch, wait=wait)
        self._probes[token] = now + self._policy.probe_for
        return Admission(state=state, allowed=True, epoch=self._epoch, wait=0.0)

    def settle(self, outcome: Outcome, epoch: int, token: str, open_for: float) -> tuple[int, State]:
        """Tell how an allowed call ended; give epoch and state. If the breaker opens, it is for `open_for` seconds."""
        if epoch == self._epoch:
            if self._half_open_at is None:
                self._settle_call(outcome, open_for)
            elif self._probes.pop(token, None) is not None:
                self._settle_probe(outcome, open_for)
        return self._epoch, self._state()

    def _settle_call(self, outcome: Outcome, open_for: float) -> None:
        if outcome is Outcome.NEUTRAL:
            return
        now = self._clock()
        self._calls.append((now, outcome is Outcome.FAILURE))
        while self._calls[0][0] <= now - self._policy.window:
            self._calls.popleft()
        bad = sum(failed for _, failed in self._calls)
        enough = bad >= self._policy.failures and bad >= self._policy.share * len(self._calls)
        if outcome is Outcome.FAILURE and enough:
            self._begin(now + open_for)

    def _settle_probe(self, outcome: Outcome, open_for: float) -> None:
        if outcome is Outcome.FAILURE:
            self._begin(self._clock() + open_for)
        elif outcome is Outcome.SUCCESS:
            self._passed += 1
            if self._passed >= self._policy.probes:
                self._begin(None)

    def _begin(self, half_open_at: float | None) -> None:
        """Begin a new epoch, with nothing else known."""
        self._epoch += 1
        self._half_open_at = half_open_at
        self._passed = 0
        self._probes.clear()
        self._calls.clear()

    def _state(self) -> State:
        if self._half_open_at is None:
            return State.CLOSED
        return State.OPEN if self._clock() < self._half_open_at else State.HALF_OPEN
