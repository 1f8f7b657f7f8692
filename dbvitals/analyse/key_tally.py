"""Adds keys up by pattern: counts, times to live, bytes, types. What was added up can be added up again."""

import heapq
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import repeat
from operator import floordiv

from dbvitals.analyse.key_condense import CROWDED, Condensed, condense, without_identities
from dbvitals.analyse.key_patterns import Folding
from dbvitals.snapshot_keyspace import KeySize, PatternStats

NO_TTL = -1
GONE = -2
"""What PTTL answers for a key that does not expire, and for one that is not there."""

LARGEST = 5
"""Large keys that are kept of each pattern."""

SAMPLES = 3
"""Names that are kept of each pattern."""

STAYING = 5
"""Names that are kept of each pattern's keys without a time to live."""

PEAKS, PEAKS_KEPT = 8, 512
"""Seconds in which the most keys expire: those that are given, and those that are kept while keys are still coming."""

STEPS = 16
"""Buckets of each doubling: a percentile is right within 3 %."""


def bucket_of(ttl_ms: int) -> int:
    """The logarithmic bucket of a time to live."""
    if ttl_ms <= 0:
        return 0
    mantissa, exponent = math.frexp(ttl_ms)
    return exponent * STEPS + int((mantissa - 0.5) * 2 * STEPS)


def bucket_middle(bucket: int) -> float:
    """Milliseconds in the middle of a bucket."""
    if bucket < STEPS:
        return 0.0
    exponent, step = divmod(bucket, STEPS)
    return math.ldexp(0.5 + (step + 0.5) / (2 * STEPS), exponent)


def bucket_edge(bucket: int) -> float:
    """Milliseconds at which a bucket begins, and the one before it ends."""
    exponent, step = divmod(bucket, STEPS)
    return math.ldexp(0.5 + step / (2 * STEPS), exponent)


def percentile(buckets: Mapping[int, int], share: float) -> float | None:
    """Milliseconds below which that share (0..1) of the keys expire, None without keys."""
    rank = share * sum(buckets.values())
    for bucket in sorted(buckets):
        rank -= buckets[bucket]
        if rank <= 0:
            return bucket_middle(bucket)
    return None


class PatternTally:
    """The sums of one pattern, while keys are still coming."""

    __slots__ = (
        "buckets",
        "count",
        "encodings",
        "expiring_fields",
        "forbidden",
        "gone",
        "largest",
        "memory_bytes",
        "memory_known",
        "no_ttl",
        "no_ttl_asked",
        "no_ttl_bytes",
        "no_ttl_expiring",
        "peaks",
        "samples",
        "staying",
        "ttl_known",
        "ttl_max",
        "ttl_min",
        "ttl_sum",
        "types",
        "types_known",
    )

    def __init__(self) -> None:
        self.count = self.gone = self.forbidden = 0
        self.ttl_known = self.no_ttl = self.ttl_sum = 0
        self.no_ttl_asked = self.no_ttl_expiring = 0
        self.ttl_min: int | None = None
        self.ttl_max: int | None = None
        self.buckets: Counter[int] = Counter()
        self.memory_known = self.memory_bytes = self.no_ttl_bytes = 0
        self.types_known = self.expiring_fields = 0
        self.types: Counter[str] = Counter()
        self.encodings: Counter[str] = Counter()
        self.largest: list[KeySize] = []
        self.samples: list[str] = []
        self.staying: list[str] = []
        self.peaks: Counter[int] = Counter()

    def add_expiries(self, expiries: list[int], now_ms: int = 0) -> None:
        """Add times of expiry (milliseconds) up, as times to live at `now_ms`; the counts are the caller's.

        A bucket at a time: they are sorted, in place, faster than they are put into buckets one by one.
        """
        if not expiries:
            return
        expiries.sort()
        least, most = expiries[0] - now_ms, expiries[-1] - now_ms
        self.ttl_sum += sum(expiries) - now_ms * len(expiries)
        self.ttl_min = _least(self.ttl_min, least)
        self.ttl_max = _most(self.ttl_max, most)
        first = 0
        while first < len(expiries):
            bucket = bucket_of(expiries[first] - now_ms)
            after = bisect_left(expiries, bucket + 1, lo=first, key=lambda expiry: bucket_of(expiry - now_ms))
            self.buckets[bucket] += after - first
            first = after

    def add_moments(self, moments: Iterable[int]) -> None:
        """Count the keys that expire in each second, by the milliseconds since 1970 at which they do."""
        self._add_seconds(map(floordiv, moments, repeat(1000)))

    def _add_seconds(self, seconds: Iterable[int] | Mapping[int, int]) -> None:
        """Add seconds, of each key or with the number of keys; of very many, the fullest stay."""
        self.peaks.update(seconds)
        if len(self.peaks) > 2 * PEAKS_KEPT:
            self.peaks = Counter(_fullest(self.peaks, PEAKS_KEPT))

    def add_staying(self, name: str) -> None:
        """Keep the name of a key without a time to live while there are few."""
        if len(self.staying) < STAYING and name not in self.staying:
            self.staying.append(name)

    def add_types(self, kind: str, encoding: str, number: int) -> None:
        """Add so many keys of this type and encoding."""
        self.types_known += number
        self.types[kind] += number
        self.encodings[f"{kind}/{encoding}"] += number

    def wants(self, memory_bytes: int) -> bool:
        """Whether a key of that size would be kept by its name."""
        return (
            len(self.samples) < SAMPLES or len(self.largest) < LARGEST or memory_bytes > self.largest[-1].memory_bytes
        )

    def add_large(self, key: KeySize) -> None:
        """Keep a key when it is among the largest."""
        is_large = len(self.largest) < LARGEST or key.memory_bytes > self.largest[-1].memory_bytes
        if is_large and key not in self.largest:
            self.largest = _largest([*self.largest, key])

    def add_sample(self, name: str) -> None:
        """Keep a name while there are few."""
        if len(self.samples) < SAMPLES and name not in self.samples:
            self.samples.append(name)

    def freeze(self, pattern: str, family: str | None) -> PatternStats:
        """Give the sums as they are now."""
        return PatternStats(
            pattern=pattern,
            family=family,
            count=self.count,
            gone=self.gone,
            forbidden=self.forbidden,
            ttl_known=self.ttl_known,
            no_ttl=self.no_ttl,
            no_ttl_asked=self.no_ttl_asked,
            no_ttl_expiring=self.no_ttl_expiring,
            ttl_sum_ms=self.ttl_sum,
            ttl_min_ms=self.ttl_min,
            ttl_max_ms=self.ttl_max,
            ttl_buckets=dict(sorted(self.buckets.items())),
            memory_known=self.memory_known,
            memory_bytes=self.memory_bytes,
            no_ttl_bytes=self.no_ttl_bytes,
            types_known=self.types_known,
            types=dict(sorted(self.types.items())),
            encodings=dict(sorted(self.encodings.items())),
            expiring_fields=self.expiring_fields,
            largest=tuple(self.largest),
            samples=tuple(sorted(self.samples)),
            staying=tuple(sorted(self.staying)),
            ttl_peaks=_fullest(self.peaks, PEAKS),
        )

    def merge(self, other: PatternStats) -> None:
        """Add the sums of another pattern, or of the same one elsewhere."""
        self.count += other.count
        self.gone += other.gone
        self.forbidden += other.forbidden
        self.ttl_known += other.ttl_known
        self.no_ttl += other.no_ttl
        self.no_ttl_asked += other.no_ttl_asked
        self.no_ttl_expiring += other.no_ttl_expiring
        self.ttl_sum += other.ttl_sum_ms
        self.ttl_min = _least(self.ttl_min, other.ttl_min_ms)
        self.ttl_max = _most(self.ttl_max, other.ttl_max_ms)
        self.buckets.update(other.ttl_buckets)
        self.memory_known += other.memory_known
        self.memory_bytes += other.memory_bytes
        self.no_ttl_bytes += other.no_ttl_bytes
        self.types_known += other.types_known
        self.types.update(other.types)
        self.encodings.update(other.encodings)
        self.expiring_fields += other.expiring_fields
        self.largest = _largest([*self.largest, *other.largest])
        for name in other.samples:
            self.add_sample(name)
        for name in other.staying:
            self.add_staying(name)
        self._add_seconds(other.ttl_peaks)


class KeyspaceTally:
    """All patterns of a keyspace; their number stays bounded however many there are.

    Where they have to make room, they no longer tell whose keys they were, unless names are to be shown.
    """

    def __init__(self, folding: Folding, *, names_shown: bool = False) -> None:
        self._folding = folding
        self._names_shown = names_shown
        self._patterns: dict[str, PatternTally] = {}

    def of(self, pattern: str) -> PatternTally:
        """The sums of a pattern, to be added to."""
        found = self._patterns.get(pattern)
        if found is None:
            if len(self._patterns) >= CROWDED:
                self._make_room()
            found = self._patterns[pattern] = PatternTally()
        return found

    def known(self, pattern: str) -> PatternTally | None:
        """The sums of a pattern that still has a row of its own."""
        return self._patterns.get(pattern)

    def freeze(self) -> tuple[PatternStats, ...]:
        """All patterns, by name."""
        family_of = self._folding.family_of
        return tuple(self._patterns[name].freeze(name, family_of(name)) for name in sorted(self._patterns))

    def _make_room(self) -> None:
        patterns = self.freeze()
        condensed = condense(patterns, self._folding, CROWDED // 2, names_shown=self._names_shown)
        self._patterns = {}
        for stats in merge_condensed(patterns, condensed, self._folding):
            tally = self._patterns[stats.pattern] = PatternTally()
            tally.merge(stats)


def merge_condensed(
    patterns: Iterable[PatternStats], condensed: Condensed, folding: Folding
) -> tuple[PatternStats, ...]:
    """Add patterns up under their new names; a key's name does not tell what its pattern hides."""
    return merge(without_identities(patterns, condensed.folded, folding), condensed.names)


def merge(patterns: Iterable[PatternStats], names: Mapping[str, str]) -> tuple[PatternStats, ...]:
    """Add patterns up under the names that `names` gives them (their own, where it has none), by name."""
    tallies: dict[str, PatternTally] = {}
    families: dict[str, str | None] = {}
    for stats in patterns:
        name = names.get(stats.pattern, stats.pattern)
        tallies.setdefault(name, PatternTally()).merge(stats)
        families[name] = stats.family
    return tuple(tallies[name].freeze(name, families[name]) for name in sorted(tallies))


def _largest(keys: list[KeySize]) -> list[KeySize]:
    return sorted(keys, key=lambda key: (-key.memory_bytes, key.key))[:LARGEST]


def _fullest(seconds: Mapping[int, int], number: int) -> dict[int, int]:
    """The seconds with the most keys, by time."""
    if len(seconds) <= number:
        return dict(sorted(seconds.items()))
    floor = sorted(seconds.values())[-number]
    full = {second: keys for second, keys in seconds.items() if keys > floor}
    level = heapq.nsmallest(number - len(full), (second for second, keys in seconds.items() if keys == floor))
    return dict(sorted({**full, **dict.fromkeys(level, floor)}.items()))


def _least(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else min(one, other)


def _most(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else max(one, other)
