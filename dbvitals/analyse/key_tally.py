"""Adds keys up by pattern: counts, times to live, bytes, types. What was added up can be added up again."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

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

STEPS = 16
"""Buckets of each doubling: a percentile is right within 3 %."""


def bucket_of(ttl_ms: int) -> int:
    """The logarithmic bucket of a time to live; the same arithmetic, exact, as in the Lua script."""
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
        "no_ttl_bytes",
        "samples",
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
        self.ttl_min: int | None = None
        self.ttl_max: int | None = None
        self.buckets: Counter[int] = Counter()
        self.memory_known = self.memory_bytes = self.no_ttl_bytes = 0
        self.types_known = self.expiring_fields = 0
        self.types: Counter[str] = Counter()
        self.encodings: Counter[str] = Counter()
        self.largest: list[KeySize] = []
        self.samples: list[str] = []

    def add_ttl(self, ttl_ms: int) -> bool:
        """Add what PTTL answered for one key; False when the key is gone, and nothing else of it counts."""
        if ttl_ms == GONE:
            self.gone += 1
            return False
        self.count += 1
        self.ttl_known += 1
        if ttl_ms == NO_TTL:
            self.no_ttl += 1
        else:
            self.add_expiry(ttl_ms)
        return True

    def add_expiry(self, ttl_ms: int) -> None:
        """Add the time to live of a key that expires; `ttl_known` and `count` are the caller's."""
        self.ttl_sum += ttl_ms
        self.ttl_min = ttl_ms if self.ttl_min is None else min(self.ttl_min, ttl_ms)
        self.ttl_max = ttl_ms if self.ttl_max is None else max(self.ttl_max, ttl_ms)
        self.buckets[bucket_of(ttl_ms)] += 1

    def add_memory(self, memory_bytes: int, ttl_ms: object) -> None:
        """Add what MEMORY USAGE answered; `ttl_ms` is what PTTL did."""
        self.memory_known += 1
        self.memory_bytes += memory_bytes
        if ttl_ms == NO_TTL:
            self.no_ttl_bytes += memory_bytes

    def add_type(self, kind: str, encoding: str) -> None:
        """Add type and encoding of one key."""
        self.types_known += 1
        self.types[kind] += 1
        self.encodings[f"{kind}/{encoding}"] += 1

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
        )

    def merge(self, other: PatternStats) -> None:
        """Add the sums of another pattern, or of the same one elsewhere."""
        self.count += other.count
        self.gone += other.gone
        self.forbidden += other.forbidden
        self.ttl_known += other.ttl_known
        self.no_ttl += other.no_ttl
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


class KeyspaceTally:
    """All patterns of a keyspace; their number stays bounded however many there are."""

    def __init__(self, folding: Folding) -> None:
        self._folding = folding
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
        condensed = condense(patterns, self._folding, CROWDED // 2)
        self._patterns = {}
        for stats in merge_condensed(patterns, condensed, self._folding):
            tally = self._patterns[stats.pattern] = PatternTally()
            tally.merge(stats)


def merge_condensed(
    patterns: Iterable[PatternStats], condensed: Condensed, folding: Folding
) -> tuple[PatternStats, ...]:
    """Add patterns up under their new names; a name of a key does not tell what its pattern no longer does."""
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


def _least(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else min(one, other)


def _most(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else max(one, other)
