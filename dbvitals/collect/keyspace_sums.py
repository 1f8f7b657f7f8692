"""Keys that come by the thousand, in simple sums by pattern: a call to the tally for each would double the time."""

import heapq

from dbvitals.analyse.key_tally import LARGEST

SETTLE_EVERY = 50_000
"""Keys after which the sums go to the tally: more of them would take memory, and be no faster."""


class Sums:
    """Keys of one pattern since the last settling: times of expiry (milliseconds), bytes, the largest."""

    __slots__ = (
        "expiries",
        "floor",
        "gone",
        "largest",
        "moments",
        "no_ttl",
        "size",
        "staying",
        "tenanted",
        "without_ttl",
    )

    def __init__(self, *, tenanted: bool) -> None:
        self.no_ttl = self.gone = 0
        self.expiries: list[int] = []
        self.size = self.staying = 0.0
        self.largest: list[tuple[float, bytes]] = []
        self.floor = -1.0
        self.tenanted: list[tuple[bytes, float]] | None = [] if tenanted else None
        """Keys with their bytes, where the names tell a tenant."""
        self.moments: list[int] = []
        """Milliseconds since 1970 at which the keys expire, where `expiries` are times to live."""
        self.without_ttl: list[bytes] = []
        """Names of a few that do not."""

    def add_large(self, size: float, key: bytes) -> None:
        """Keep a key that is larger than `floor`."""
        if len(self.largest) < LARGEST:
            heapq.heappush(self.largest, (size, key))
        else:
            heapq.heapreplace(self.largest, (size, key))
        if len(self.largest) == LARGEST:
            self.floor = self.largest[0][0]
