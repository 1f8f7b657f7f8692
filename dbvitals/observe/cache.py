"""Looks into a Redis cache by family of keys, counted where they are made: the server's own counters know no families.

`CacheCounters` counts, `HitRatio` shows the ratio, `ObservedRedis` is redis-py's client that counts by itself. A
service that knows more of how a look ended (a stale value was served, the cache was away) counts those families with
`CacheCounters.count` and leaves them out of `family_of`, so that nothing is counted twice.
"""

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import partial
from operator import is_not
from typing import Any

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

ALL_FAMILIES = "all"
"""The label of all families together; no family may be called so."""


class Outcome(StrEnum):
    """How one look into the cache ended."""

    HIT = "hit"
    STALE = "stale"
    MISS = "miss"
    CORRUPT = "corrupt"
    AWAY = "away"


HIT, MISS = Outcome.HIT, Outcome.MISS

# A stale value was found as well, and may be served; a cache that is away was not asked.
FOUND = frozenset({Outcome.HIT, Outcome.STALE})
ASKED = FOUND | {Outcome.MISS, Outcome.CORRUPT}

Name = str | bytes
FamilyOf = Callable[[Name], str | None]
"""The family that a key is counted in, None when it is not. There must be few: each is a label."""


AT_ONCE = 1 if "PROMETHEUS_MULTIPROC_DIR" in os.environ else 100
"""Looks that are counted together. Where processes share their counts, another one reads them, and at any time."""


Note = tuple[FamilyOf, Any, Outcome]


class Requests(Counter):
    """A counter that has what was only noted counted before it is read."""

    settle: Callable[[], None] | None = None

    def collect(self) -> Iterable[Metric]:
        """Give the counts."""
        if self.settle is not None:
            self.settle()
        return super().collect()


class CacheCounters:
    """`redis_cache_requests_total` by family and outcome; `requests` is what HitRatio is made from.

    `noted` are looks that are still to be counted: many at once, or when somebody reads the counts. Behind an answer
    that was waited for, hardly anything of the counting is left in the processor's caches, and it takes three times as
    long as right behind another.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Requests(
            "redis_cache_requests",
            "Looks into the cache, by family of keys and by how they ended.",
            ("family", "outcome"),
            registry=registry,
        )
        self.requests.settle = self.settle
        # To find a counter anew takes three times as long as to count.
        self._adders: dict[tuple[str, Outcome], Callable[[], None]] = {}
        self.noted: deque[Note] = deque()

    def count(self, family: str, outcome: Outcome) -> None:
        """Count one look into the cache."""
        add = self._adders.get((family, outcome))
        if add is None:
            add = self._adders[family, outcome] = self.requests.labels(family, outcome.value).inc
        add()

    def settle(self) -> None:
        """Count what was noted; any thread may."""
        while True:
            try:
                family_of, key, outcome = self.noted.popleft()
            except IndexError:  # not asked for before: another thread may be faster
                return
            if isinstance(key, str | bytes) and (family := family_of(key)) is not None:
                self.count(family, outcome)


class HitRatio(Collector):
    """Makes `redis_hit_ratio` from the counts of `source`, at the moment they are read.

    With one process, `source` is `CacheCounters.requests`; with several, their merged counts
    (`MultiProcessCollector`), since ratios cannot be added. Register it where the scrape reads.
    A family that was not asked yet has no sample, rather than 0/0 or a false 0.
    """

    def __init__(self, source: Collector) -> None:
        self._source = source

    def describe(self) -> Iterable[Metric]:
        """Name the metric without reading the counts."""
        return [_ratio_metric()]

    def collect(self) -> Iterable[Metric]:
        """Give the ratio of every family that was asked, and of all together."""
        found: dict[str, float] = defaultdict(float)
        asked: dict[str, float] = defaultdict(float)
        for family, outcome, count in self._counts():
            for label in (family, ALL_FAMILIES):
                found[label] += count if outcome in FOUND else 0
                asked[label] += count if outcome in ASKED else 0
        metric = _ratio_metric()
        for label in sorted(asked):
            if asked[label] > 0:
                metric.add_metric([label], found[label] / asked[label])
        return [metric]

    def _counts(self) -> Iterable[tuple[str, str, float]]:
        for metric in self._source.collect():
            for sample in metric.samples:
                if sample.name == "redis_cache_requests_total":
                    yield sample.labels["family"], sample.labels["outcome"], sample.value


def by_first_part(families: Iterable[str], separator: str = ":") -> FamilyOf:
    """Tell families by what stands before the first separator; names of any other beginning are not counted."""
    known: dict[Name, str] = {}
    for family in families:
        known[family] = known[family.encode()] = family
    raw = separator.encode()

    def family_of(key: Name) -> str | None:
        return known.get(key.partition(raw)[0] if isinstance(key, bytes) else key.partition(separator)[0])

    return family_of


_is_there = partial(is_not, None)


def _has_parts(answer: Any) -> bool:
    return any(part is not None for part in answer)


READS: dict[Any, Callable[[Any], bool]] = {
    **dict.fromkeys(("GET", "GETEX", "GETDEL", "HGET", "LINDEX", "ZSCORE", "ZRANK"), _is_there),
    **dict.fromkeys(("EXISTS", "HGETALL", "LRANGE", "SMEMBERS", "ZRANGE", "HEXISTS", "SISMEMBER"), bool),
    "HMGET": _has_parts,
}
"""Commands by which a cache is asked for one key, and whether their answer says that it was found.

A field that a hash lacks is a miss here; the server calls it a hit. EXISTS counts for the first of several keys.
"""

READ_MANY = "MGET"

AWAY = (RedisConnectionError, RedisTimeoutError)


class _Lookups:
    """Notes what commands and their answers tell."""

    def __init__(self, counters: CacheCounters, family_of: FamilyOf) -> None:
        self._noted = counters.noted
        self._settle = counters.settle
        self._family_of = family_of

    def answered(self, args: Sequence[Any], answer: Any) -> None:
        """Note a command that got an answer."""
        if is_found := READS.get(args[0]):
            self._noted.append((self._family_of, args[1], HIT if is_found(answer) else MISS))
        elif args[0] == READ_MANY:
            for key, value in zip(args[1:], answer, strict=True):
                self._noted.append((self._family_of, key, MISS if value is None else HIT))
        if len(self._noted) >= AT_ONCE:
            self._settle()

    def away(self, args: Sequence[Any]) -> None:
        """Note a command that got none."""
        for key in args[1:] if args[0] == READ_MANY else args[1:2] if args[0] in READS else ():
            self._noted.append((self._family_of, key, Outcome.AWAY))
        if len(self._noted) >= AT_ONCE:
            self._settle()


class ObservedRedis(Redis):
    """redis-py's asynchronous client, counting its reads, those in pipelines too. Answers are as without."""

    def __init__(self, counters: CacheCounters, family_of: FamilyOf, **options: Any) -> None:
        """`options` are those of redis-py's client, such as `connection_pool`."""
        super().__init__(**options)
        self._lookups = _Lookups(counters, family_of)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command and count it."""
        try:
            answer = await Redis.execute_command(self, *args, **options)  # type: ignore[no-untyped-call]
        except AWAY:
            self._lookups.away(args)
            raise
        self._lookups.answered(args, answer)
        return answer

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "ObservedPipeline":
        """Give a pipeline that counts."""
        return ObservedPipeline(self._lookups, self.connection_pool, self.response_callbacks, transaction, shard_hint)


class ObservedPipeline(Pipeline):
    """redis-py's pipeline, counting the reads in it when their answers have come."""

    def __init__(self, lookups: _Lookups, *place: Any) -> None:
        super().__init__(*place)
        self._lookups = lookups

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send all commands and count them."""
        commands = self.command_stack
        try:
            answers = await super().execute(raise_on_error)
        except AWAY:
            for args, _ in commands:
                self._lookups.away(args)
            raise
        for (args, _), answer in zip(commands, answers, strict=True):
            if not isinstance(answer, Exception):
                self._lookups.answered(args, answer)
        return answers


def _ratio_metric() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "redis_hit_ratio",
        "Share of looks into the cache that found a value, 0 to 1, by family of keys and in all, since the service "
        "began; the rates of redis_cache_requests_total tell that of a window.",
        labels=["family"],
    )
