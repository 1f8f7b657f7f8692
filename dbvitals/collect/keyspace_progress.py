"""Tells how far a pass is: a bar, keys, their rate, the time left, and how fast the server answers others."""

import time
from collections.abc import Callable

from dbvitals.collect.redis_pace import Pacer

INTERVAL = 0.5
"""Seconds between two lines."""

CELLS = 20


class Meter:
    """Counts keys; `total` is how many there should be."""

    def __init__(self, tell: Callable[[str], None], total: int, pacer: Pacer) -> None:
        self._tell = tell
        self._total = total
        self._pacer = pacer
        self._keys = 0
        self._began = self._told = time.monotonic()

    def add(self, keys: int) -> None:
        """Count keys, and tell now and then."""
        self._keys += keys
        now = time.monotonic()
        if now - self._told >= INTERVAL:
            self._told = now
            self._tell(line(self._keys, self._total, now - self._began, self._pacer.ping_p99))


def line(keys: int, total: int, seconds: float, ping_p99: float) -> str:
    """One line of progress."""
    share = min(1.0, keys / total) if total else 1.0
    rate = keys / seconds if seconds else 0.0
    left = round(max(0, total - keys) / rate) if rate else 0
    bar = "█" * round(share * CELLS) + "░" * (CELLS - round(share * CELLS))
    ping = f", PING p99 {ping_p99 * 1000:.1f} ms" if ping_p99 else ""
    return f"{bar} {share:.0%}  {keys:,} of {total:,} keys, {rate:,.0f}/s, {left // 60}:{left % 60:02} left{ping}"
