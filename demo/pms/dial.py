"""The faults of the sandbox PMS: what is dialled, and what each request meets."""

import threading
import time
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Annotated, Literal

import msgspec

SLOW_SECONDS = 3.0
Mode = Literal["up", "down", "slow", "flapping"]


class Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is dialled. Flapping is down for the first half of every `period` and up for the second."""

    mode: Mode = "up"
    delay: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    """Seconds before every answer."""
    failure_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """Share of requests that are answered 500; which ones, `seed` decides."""
    period: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 1.0
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What one request meets: seconds to wait, then an error's status or, when 0, its answer."""

    delay: float
    status: int


class Dial:
    """Holds the setting and counts requests by operation. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.turn(Setting())

    def turn(self, setting: Setting) -> None:
        """Set anew; the counts begin again."""
        with self._lock:
            self._setting = setting
            self._random = Random(setting.seed)
            self._since = time.monotonic()
            self._requests: Counter[str] = Counter()

    def shown(self) -> dict[str, object]:
        """Give the setting, and the requests counted since it was set."""
        with self._lock:
            return {**msgspec.structs.asdict(self._setting), "requests": dict(sorted(self._requests.items()))}

    def fate(self, operation: str) -> Fate:
        """Count a request and say what it meets."""
        with self._lock:
            self._requests[operation] += 1
            failed = self._random.random() < self._setting.failure_rate
            slow = SLOW_SECONDS if self._setting.mode == "slow" else 0.0
            status = 503 if self._down() else 500 if failed else 0
            return Fate(delay=self._setting.delay + slow, status=status)

    def _down(self) -> bool:
        if self._setting.mode == "flapping":
            period = self._setting.period
            return (time.monotonic() - self._since) % period < period / 2
        return self._setting.mode == "down"
