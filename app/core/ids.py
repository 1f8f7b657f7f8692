"""Identifiers: version 7 UUIDs (RFC 9562), ordered by the moment they were made."""

import os
import secrets
import threading
import time
from collections.abc import Callable
from uuid import UUID

# RFC 9562, section 6.2, method 1: the twelve bits of rand_a and the first thirty of rand_b are one counter.
# It starts each millisecond at random with its top bit clear, so that at least 2^41 identifiers fit in.
COUNTER_BITS = 42
TAIL_BITS = 32


def uuid7_from(milliseconds: int, counter: int, tail: int) -> UUID:
    """Join Unix time in milliseconds (48 bits), a counter (42 bits) and a random tail (32 bits) to a UUID.

    The same parts give the same UUID: what seeded data is made with. Raises ValueError for a part too wide.
    """
    for name, value, bits in (
        ("milliseconds", milliseconds, 48),
        ("counter", counter, COUNTER_BITS),
        ("tail", tail, TAIL_BITS),
    ):
        if not 0 <= value < 1 << bits:
            raise ValueError(f"{name} of a version 7 UUID must fit in {bits} bits, this is {value}")
    high, low = counter >> 30, counter & ((1 << 30) - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low << 32 | tail)


def _unix_milliseconds() -> int:
    return time.time_ns() // 1_000_000


class Uuid7Generator:
    """Makes version 7 UUIDs, each greater than the one before, from any number of threads.

    A clock that stands still or is set back does not break the order: the last millisecond is counted on.
    """

    def __init__(self, clock: Callable[[], int] = _unix_milliseconds) -> None:
        """`clock` gives Unix time in milliseconds."""
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget what was made; for a forked child, which must not count on from where its parent stands."""
        self._lock = threading.Lock()
        self._milliseconds = -1
        self._counter = 0

    def __call__(self) -> UUID:
        """Make the next UUID."""
        with self._lock:
            self._advance()
            return uuid7_from(self._milliseconds, self._counter, secrets.randbits(TAIL_BITS))

    def _advance(self) -> None:
        now = self._clock()
        exhausted = self._counter + 1 == 1 << COUNTER_BITS
        if now <= self._milliseconds and not exhausted:
            self._counter += 1
            return
        self._milliseconds = max(now, self._milliseconds + 1)
        self._counter = secrets.randbits(COUNTER_BITS - 1)


uuid7 = Uuid7Generator()
os.register_at_fork(after_in_child=uuid7.reset)
