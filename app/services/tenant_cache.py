"""Which tenant an identifier belongs to, as this process knows it; and whether an answer may still be believed."""

import time
from collections.abc import Callable

from cachetools import TTLCache

from app.db.identifiers import Found

# Enough for the guests who write within half a minute, at some 300 bytes each.
ENTRIES = 10_000
SECONDS = 30.0
# Someone who tries out identifiers fills a cache of his own, and an identifier that is new is soon found even if its
# announcement were lost.
UNKNOWN_SECONDS = 5.0


class Freshness:
    """Tells whether an answer has seen every change that matters, by the numbers of transactions.

    An answer has seen all transactions numbered below its `seen`. Those that nobody told this process of have
    smaller numbers than `begin`, where it began to listen; a change that it was told of has its own number. So
    an answer counts when its `seen` is as large as `begin` and larger than the last change of its identifier:
    also one from Redis, which another process wrote at any time, before or after the change.
    """

    def __init__(self, entries: int = ENTRIES) -> None:
        self._entries = entries
        self._begin: int | None = None
        self._passed = 0
        self._changes: dict[bytes, int] = {}

    @property
    def live(self) -> bool:
        """Whether changes are heard. While they are not, no answer counts but the database's."""
        return self._begin is not None

    def connected(self, begin: int) -> None:
        """Changes are heard; those that were not heard are numbered below `begin`."""
        self._begin = begin

    def disconnected(self) -> None:
        """Changes are missed."""
        self._begin = None

    def changed(self, fingerprint: bytes, transaction: int) -> None:
        """Note a change. When there are too many to keep, answers older than the newest one count no more."""
        self._changes[fingerprint] = max(transaction, self._changes.get(fingerprint, 0))
        if len(self._changes) > self._entries:
            self._passed = max(self._passed, *self._changes.values())
            self._changes.clear()

    def accepts(self, fingerprint: bytes, seen: int) -> bool:
        """Whether the identifier's answer counts."""
        if self._begin is None:
            return False
        return seen >= self._begin and seen > max(self._passed, self._changes.get(fingerprint, 0))


class TenantCache:
    """Answers of the last half minute, known and unknown apart."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        """`timer` gives seconds."""
        self._known: TTLCache[bytes, Found] = TTLCache(ENTRIES, SECONDS, timer)
        self._unknown: TTLCache[bytes, Found] = TTLCache(ENTRIES, UNKNOWN_SECONDS, timer)

    def get(self, fingerprint: bytes) -> Found | None:
        """Give the answer that is kept for an identifier."""
        return self._known.get(fingerprint) or self._unknown.get(fingerprint)

    def put(self, fingerprint: bytes, found: Found) -> None:
        """Keep an answer."""
        self.drop(fingerprint)
        kept = self._unknown if found.tenant_id is None else self._known
        kept[fingerprint] = found

    def drop(self, fingerprint: bytes) -> None:
        """Forget an identifier."""
        self._known.pop(fingerprint, None)
        self._unknown.pop(fingerprint, None)

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
        self._unknown.clear()
