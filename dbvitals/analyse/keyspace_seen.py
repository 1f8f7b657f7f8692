"""What a snapshot adds up to, before anything is judged: patterns in the report's order, shares, and their errors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from msgspec import structs

from dbvitals.analyse.hit_ratio import Traffic, traffic
from dbvitals.analyse.key_condense import condense
from dbvitals.analyse.key_patterns import OTHER, Folding
from dbvitals.analyse.key_renaming import misses_of, renamed
from dbvitals.analyse.key_tally import PatternTally, merge_condensed
from dbvitals.analyse.keyspace_thresholds import CacheThresholds
from dbvitals.expect import KeyFamily
from dbvitals.snapshot_keyspace import KeyspaceSnapshot, NodeInfo, PatternStats, SampledKey

RESAMPLES = 200
"""Bootstrap samples: the error of the error is then a few percent."""

TRUSTED_ERROR = 5.0
"""Percent points: a sample whose shares may be off by more is not worth a decision."""

GIANT_SHARE = 0.02
"""A sampled key that holds so much of the sample: whether it is in it or not is chance, and so is the result."""

RECONCILED = 0.15
"""A sample whose total, scaled up, is further from the server's own figure has missed giants, or met too many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that the rules look at. `scale` is what a sample's counts are to be multiplied by, else 1.

    `evicted` are the evicted keys of each node, by its own counter.
    """

    snapshot: KeyspaceSnapshot
    folding: Folding
    families: Mapping[str, KeyFamily]
    thresholds: CacheThresholds
    traffic: Traffic
    evicted: Mapping[str, int]
    patterns: tuple[PatternStats, ...]
    scale: float
    errors: Mapping[str, float]

    @property
    def memory_bytes(self) -> int:
        """Of all keys, as measured or scaled up."""
        return round(self.scale * sum(stats.memory_bytes for stats in self.patterns))

    @property
    def keys(self) -> int:
        """All keys, as counted or scaled up."""
        return round(self.scale * sum(stats.count for stats in self.patterns))

    @property
    def primaries(self) -> tuple[NodeInfo, ...]:
        """The nodes that write and evict; a replica asked by itself stands in."""
        return tuple(node for node in self.snapshot.nodes if node.role == "primary") or self.snapshot.nodes

    @property
    def readers(self) -> tuple[NodeInfo, ...]:
        """The nodes whose keys were read: a replica that has a copy, where there is one, in place of its primary."""
        copies = (node for node in self.snapshot.nodes if node.role == "replica" and node.link in ("up", "down"))
        return tuple(copies) or self.primaries

    @property
    def keyspace_bytes(self) -> int | None:
        """What the nodes whose keys were read say that their keys take; None when one does not, or not all was read."""
        asked = self.readers
        if not asked or any(node.keyspace_bytes is None for node in asked):
            return None
        elsewhere = sum(base.keys for node in asked for base in node.databases) - self.snapshot.coverage.keys_before
        return None if elsewhere > 0 else sum(node.keyspace_bytes or 0 for node in asked)

    def share(self, memory_bytes: float) -> float:
        """Percent of the memory of all keys."""
        return 100 * memory_bytes / self.memory_bytes if self.memory_bytes else 0.0

    def family(self, stats: PatternStats) -> KeyFamily | None:
        """The declaration that holds for a pattern."""
        return self.families.get(stats.family or "")


def look(
    snapshot: KeyspaceSnapshot,
    folding: Folding,
    thresholds: CacheThresholds,
    earlier: KeyspaceSnapshot | None,
    declared: Iterable[KeyFamily],
) -> Seen:
    """Add up, in the order of the declarations; a pattern without keys that is declared, or was missed, has zeros.

    What nobody declared and has no key was asked for all the same: it comes before what is there.
    """
    families = {family.pattern: family for family in declared}
    misses = misses_of(snapshot)
    known = (*snapshot.patterns, *_without_keys(snapshot, misses, folding))
    condensed = condense(known, folding, thresholds.patterns, misses, names_shown=snapshot.names_shown)
    found = {stats.pattern: stats for stats in merge_condensed(known, condensed, folding)}
    rows = [found.pop(name, PatternTally().freeze(name, name)) for name in families]
    rest = sorted(found.values(), key=_place)
    patterns = (*rows, *rest)
    return Seen(
        snapshot=renamed(snapshot, condensed.names),
        folding=folding,
        families=families,
        thresholds=thresholds,
        traffic=traffic(snapshot, earlier),
        evicted={one.node: traffic(_of(one.node, snapshot), earlier).evicted_keys for one in snapshot.before},
        patterns=patterns,
        scale=_scale(snapshot, patterns),
        errors=_errors(snapshot.sample, condensed.names),
    )


def _of(node: str, snapshot: KeyspaceSnapshot) -> KeyspaceSnapshot:
    """The same with the counters of one node."""
    before, after = (tuple(one for one in sums if one.node == node) for sums in (snapshot.before, snapshot.after))
    return structs.replace(snapshot, before=before, after=after)


def _without_keys(snapshot: KeyspaceSnapshot, misses: Iterable[str], folding: Folding) -> Iterable[PatternStats]:
    present = {stats.pattern for stats in snapshot.patterns}
    return (PatternTally().freeze(name, folding.family_of(name)) for name in misses if name not in present)


def _place(stats: PatternStats) -> tuple[bool, bool, int, int, str]:
    return (stats.pattern == OTHER, is_there(stats), -stats.memory_bytes, -stats.count, stats.pattern)


def is_there(stats: PatternStats) -> bool:
    """Whether SCAN returned a key of the pattern; else it was only asked for, or is only declared."""
    return bool(stats.count or stats.gone or stats.forbidden)


def distrust(seen: Seen) -> str:
    """Why a sample is not to be trusted; empty when it is, or when there is none."""
    sample = seen.snapshot.sample
    if not sample:
        return ""
    total = sum(key.memory_bytes for key in sample)
    largest = max(key.memory_bytes for key in sample)
    if total and largest > GIANT_SHARE * total:
        return f"one of its keys holds {100 * largest / total:.0f} % of its memory"
    if max(seen.errors.values(), default=0.0) > TRUSTED_ERROR:
        return f"its shares of memory may be off by {max(seen.errors.values()):.0f} points"
    stated = seen.keyspace_bytes
    tolerated = max(RECONCILED * (stated or 0) + _tables(seen.keys), seen.thresholds.unaccounted_min_bytes)
    if stated and abs(seen.memory_bytes - stated) > tolerated:
        return f"scaled up it comes to {100 * seen.memory_bytes / stated:.0f} % of what the server says its keys take"
    return ""


def _tables(keys: int) -> int:
    """Bytes that hash tables and TTL entries take beside the keys, about."""
    return 64 * keys


def _scale(snapshot: KeyspaceSnapshot, patterns: Iterable[PatternStats]) -> float:
    counted = sum(stats.count for stats in patterns)
    return snapshot.coverage.keys_before / counted if snapshot.coverage.mode == "sample" and counted else 1.0


def _errors(sample: tuple[SampledKey, ...], names: Mapping[str, str]) -> dict[str, float]:
    """Half of the bootstrap's 95 % interval of each pattern's share of memory, in percent points."""
    if not sample:
        return {}
    keys = [(names.get(key.pattern, key.pattern), key.memory_bytes) for key in sample]
    dice = Random(0)  # noqa: S311 - the same sample gives the same error
    shares: dict[str, list[float]] = {name: [] for name, _ in keys}
    for _ in range(RESAMPLES):
        sums = dict.fromkeys(shares, 0)
        for name, memory_bytes in dice.choices(keys, k=len(keys)):
            sums[name] += memory_bytes
        total = sum(sums.values()) or 1
        for name, memory_bytes in sums.items():
            shares[name].append(100 * memory_bytes / total)
    return {name: _half_width(values) for name, values in sorted(shares.items())}


def _half_width(values: list[float]) -> float:
    ordered = sorted(values)
    return (ordered[round(0.975 * (len(ordered) - 1))] - ordered[round(0.025 * (len(ordered) - 1))]) / 2
