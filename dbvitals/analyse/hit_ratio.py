"""The hit ratio of a server: over a window, without what dbvitals itself read, and how sure it is."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dbvitals.snapshot_keyspace import Counters, KeyspaceSnapshot

Z95 = 1.959964
"""The normal distribution's quantile of a 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the clients' reads added up to. `since` is None when the counters run from the server's start.

    `own_*` were subtracted. `unusable` names the nodes whose counters do not belong together, and why.
    """

    source: Literal["start", "window", "saved"]
    since: datetime | None
    seconds: float | None
    hits: int
    misses: int
    evicted_keys: int
    expired_keys: int
    own_hits: int
    own_misses: int
    unusable: tuple[str, ...]

    @property
    def ratio(self) -> float | None:
        """Hits among all reads, 0..1; None when there were none."""
        return self.hits / (self.hits + self.misses) if self.hits + self.misses else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the ratio."""
        return wilson(self.hits, self.hits + self.misses)


def wilson(successes: int, trials: int) -> tuple[float, float] | None:
    """Wilson's score interval at 95 %; None without trials."""
    if trials == 0:
        return None
    share, spread = successes / trials, Z95**2 / trials
    middle = share + spread / 2
    half = Z95 * math.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def traffic(snapshot: KeyspaceSnapshot, earlier: KeyspaceSnapshot | None = None) -> Traffic:
    """The clients' reads since an earlier snapshot, within the window that was asked for, or since the start."""
    if earlier is not None:
        return _between("saved", earlier.after, snapshot.before)
    if snapshot.window_seconds is not None and snapshot.after:
        return _between("window", snapshot.before, snapshot.after)
    return _since_start(snapshot.before)


def _since_start(counters: tuple[Counters, ...]) -> Traffic:
    """The oldest counters decide for how long; a reset within that time cannot be seen from here."""
    return Traffic(
        source="start",
        since=None,
        seconds=float(max((one.uptime_seconds for one in counters), default=0)) if counters else None,
        hits=sum(one.hits for one in counters),
        misses=sum(one.misses for one in counters),
        evicted_keys=sum(one.evicted_keys for one in counters),
        expired_keys=sum(one.expired_keys for one in counters),
        own_hits=0,
        own_misses=0,
        unusable=(),
    )


def _between(source: Literal["window", "saved"], before: tuple[Counters, ...], after: tuple[Counters, ...]) -> Traffic:
    first = {one.node: one for one in before}
    pairs = [(first.get(one.node), one) for one in after]
    gone = sorted(first.keys() - {one.node for one in after})
    usable = [(old, new) for old, new in pairs if old and not _broken(old, new)]
    reasons = [f"{new.node}: {_broken(old, new)}" for old, new in pairs if _broken(old, new)]
    own = [_own(source, old, new) for old, new in usable]
    own_hits, own_misses = sum(hits for hits, _ in own), sum(misses for _, misses in own)
    return Traffic(
        source=source,
        since=min((old.at for old, _ in usable), default=None),
        seconds=max(((new.at - old.at).total_seconds() for old, new in usable), default=None),
        hits=max(0, sum(new.hits - old.hits for old, new in usable) - own_hits),
        misses=max(0, sum(new.misses - old.misses for old, new in usable) - own_misses),
        evicted_keys=sum(new.evicted_keys - old.evicted_keys for old, new in usable),
        expired_keys=sum(new.expired_keys - old.expired_keys for old, new in usable),
        own_hits=own_hits,
        own_misses=own_misses,
        unusable=(*reasons, *(f"{node}: it is no longer a primary of this Redis" for node in gone)),
    )


def _own(source: str, old: Counters, new: Counters) -> tuple[int, int]:
    """What we read between two moments: of another run, nothing comes after its last counters."""
    if source == "saved":
        return new.own_hits, new.own_misses
    return new.own_hits - old.own_hits, new.own_misses - old.own_misses


def _broken(old: Counters | None, new: Counters) -> str:
    """Why two counters of a node have no difference; empty when they have."""
    if old is None:
        return "it was not a primary of this Redis before"
    if old.run_id != new.run_id or new.uptime_seconds < old.uptime_seconds:
        return "the server was started anew, or failed over"
    falls = (
        new.hits < old.hits,
        new.misses < old.misses,
        new.evicted_keys < old.evicted_keys,
        new.expired_keys < old.expired_keys,
    )
    return "the counters were reset (CONFIG RESETSTAT)" if any(falls) else ""


def ratio_of(pairs: Iterable[tuple[int, int]]) -> float | None:
    """The ratio of several hits and misses together."""
    known = list(pairs)
    total = sum(hits + misses for hits, misses in known)
    return sum(hits for hits, _ in known) / total if total else None
