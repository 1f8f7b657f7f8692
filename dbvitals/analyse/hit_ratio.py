"""The hit ratio of a server: over a window, without what dbvitals itself read, and how sure it is."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dbvitals.snapshot_keyspace import Counters, KeyspaceSnapshot, Looks

Z95 = 1.959964
"""The normal distribution's quantile of a 95 % interval."""

READS_AN_INSPECTION = 10
"""What a run reads for each of its calls of TYPE, OBJECT and MEMORY, at most: a login that may use TYPE only asks one
key in eight for it, and all for their time to live."""

STRANGE_SHARE = 0.02
"""Of all reads: if so many may be those of tools, the ratio of the others is not known."""

GIANTS_SHARE = 0.5
"""Of a run's calls of MEMORY USAGE, at most so many are for the largest keys, which it measures again."""

MENDS = {
    "start": "count from now on, with --window 60s, or name the report of an earlier run with --diff",
    "window": "wait for the next window",
    "saved": "take a newer file with --since",
}
"""What to do about counters that are of no use, by where they begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What the clients' reads added up to. `since` is None when the counters run from the server's start.

    `own_*` were subtracted. `unusable` names the nodes whose counters do not belong together, or which count reads of
    runs that are not known, and why.
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
        unended = {one.node for one in earlier.before} - {one.node for one in earlier.after}
        return _between("saved", earlier.after, snapshot.before, unended)
    if snapshot.window_seconds is not None and snapshot.after:
        return _between("window", snapshot.before, snapshot.after)
    return _since_start(snapshot.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Others:
    """What runs of dbvitals have read of which no file tells; or why that cannot be told."""

    hits: int = 0
    misses: int = 0
    reason: str = ""


def _since_start(counters: tuple[Counters, ...]) -> Traffic:
    """The oldest counters decide for how long; a reset within that time cannot be seen from here."""
    others = {one.node: _others_since_start(one) for one in counters}
    usable = [one for one in counters if not others[one.node].reason]
    own_hits = sum(one.own_hits + others[one.node].hits for one in usable)
    own_misses = sum(one.own_misses + others[one.node].misses for one in usable)
    return Traffic(
        source="start",
        since=None,
        seconds=float(max((one.uptime_seconds for one in counters), default=0)) if counters else None,
        hits=max(0, sum(one.hits for one in usable) - own_hits),
        misses=max(0, sum(one.misses for one in usable) - own_misses),
        evicted_keys=sum(one.evicted_keys for one in counters),
        expired_keys=sum(one.expired_keys for one in counters),
        own_hits=own_hits,
        own_misses=own_misses,
        unusable=tuple(f"{node}: {other.reason}" for node, other in others.items() if other.reason),
    )


def _others_since_start(one: Counters) -> _Others:
    if one.looks is None:
        return _Others(
            reason="INFO commandstats does not tell whether dbvitals or another tool has read the keys before"
        )
    return _others(one.hits + one.misses - one.own_hits - one.own_misses, less(one.looks, one.own_looks))


def _others(reads: int, looks: Looks) -> _Others:
    """What others have read, if they looked at keys as we do: PTTL and MEMORY for each, TYPE and OBJECT for some.

    Their keys came from SCAN, so they were there. PTTL without MEMORY is the clients' own, and stays among their reads.
    """
    if abs(looks.inspections) * READS_AN_INSPECTION <= STRANGE_SHARE * reads:
        return _Others()
    clients = max(0, looks.pttl - looks.memory)
    doubtful, left = abs(looks.type - looks.object), max(0, reads - looks.reads + clients)
    giants = looks.memory - looks.pttl
    if looks.memory > 0 and giants <= GIANTS_SHARE * looks.memory and doubtful <= STRANGE_SHARE * left:
        return _Others(hits=looks.reads - clients)
    return _Others(
        reason=f"{abs(looks.inspections):,} calls of TYPE, OBJECT and MEMORY are those of another tool, or of runs of "
        "dbvitals that wrote their report elsewhere: their hits and misses cannot be told from the clients'"
    )


def less(whole: Looks, part: Looks) -> Looks:
    """Take some looks away, one by one."""
    return Looks(**{name: getattr(whole, name) - getattr(part, name) for name in Looks.__struct_fields__})


def more(some: Looks, others: Looks) -> Looks:
    """Add looks, one by one."""
    return Looks(**{name: getattr(some, name) + getattr(others, name) for name in Looks.__struct_fields__})


def _between(
    source: Literal["window", "saved"],
    before: tuple[Counters, ...],
    after: tuple[Counters, ...],
    unended: Collection[str] = (),
) -> Traffic:
    """The difference; `unended` are nodes of which the earlier run knows no last counters, so not what it read."""
    first = {one.node: one for one in before}
    pairs = [(first.get(one.node), one) for one in after]
    gone = sorted(first.keys() - {one.node for one in after})
    reasons = {new.node: _unended(new, unended) or broken(old, new) for old, new in pairs}
    whole = [(old, new) for old, new in pairs if old and not reasons[new.node]]
    others = {new.node: _others_between(source, old, new) for old, new in whole}
    reasons |= {node: other.reason for node, other in others.items()}
    clean = [(old, new) for old, new in whole if not reasons[new.node]]
    own_hits = sum(_own(old, new)[0] + others[new.node].hits for old, new in clean)
    own_misses = sum(_own(old, new)[1] + others[new.node].misses for old, new in clean)
    return Traffic(
        source=source,
        since=min((old.at for old, _ in whole), default=None),
        seconds=max(((new.at - old.at).total_seconds() for old, new in whole), default=None),
        hits=max(0, sum(new.hits - old.hits for old, new in clean) - own_hits),
        misses=max(0, sum(new.misses - old.misses for old, new in clean) - own_misses),
        evicted_keys=sum(new.evicted_keys - old.evicted_keys for old, new in whole),
        expired_keys=sum(new.expired_keys - old.expired_keys for old, new in whole),
        own_hits=own_hits,
        own_misses=own_misses,
        unusable=(
            *(f"{node}: {reason}" for node, reason in reasons.items() if reason),
            *(f"{node}: it is no longer there, or no longer a primary of this Redis" for node in gone),
        ),
    )


def _unended(new: Counters, unended: Collection[str]) -> str:
    if new.node not in unended:
        return ""
    return "the run that wrote the --since file was stopped before it counted hits and misses again"


def _own(old: Counters, new: Counters) -> tuple[int, int, Looks]:
    """Hits, misses and looks known to be ours between two moments; none where the newer knows nothing of the older."""
    if new.own_hits + new.own_misses < old.own_hits + old.own_misses:
        return 0, 0, Looks()
    looks = less(new.own_looks, old.own_looks)
    return max(0, new.own_hits - old.own_hits), max(0, new.own_misses - old.own_misses), looks


def _others_between(source: str, old: Counters, new: Counters) -> _Others:
    """What others have read between two moments; within a window there is only this run."""
    if source == "window" or old.looks is None or new.looks is None:
        return _Others()
    own_hits, own_misses, own_looks = _own(old, new)
    reads = new.hits - old.hits + new.misses - old.misses - own_hits - own_misses
    return _others(reads, less(less(new.looks, old.looks), own_looks))


def broken(old: Counters | None, new: Counters) -> str:
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
        old.looks is not None and new.looks is not None and new.looks.inspections < old.looks.inspections,
    )
    return "the counters were reset (CONFIG RESETSTAT)" if any(falls) else ""


def ratio_of(pairs: Iterable[tuple[int, int]]) -> float | None:
    """The ratio of several hits and misses together."""
    known = list(pairs)
    total = sum(hits + misses for hits, misses in known)
    return sum(hits for hits, _ in known) / total if total else None
