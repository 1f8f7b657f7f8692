"""What the service counts about the PMS and the cache; every metric goes into a registry that is handed in."""

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.core.redis import Family

# From a PMS in the same building to one that is about to time out.
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
ALL_FAMILIES = "all"


class Lookup(StrEnum):
    """How one look into the cache ended."""

    HIT = "hit"
    STALE = "stale"
    MISS = "miss"
    CORRUPT = "corrupt"
    AWAY = "away"


# A stale value was found as well, and may be served; a cache that is away was not asked.
FOUND = (Lookup.HIT, Lookup.STALE)
ASKED = (*FOUND, Lookup.MISS, Lookup.CORRUPT)


class PmsMetrics:
    """Times of calls to a PMS, and the state of its circuit breaker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._latency = Histogram(
            "pms_api_latency_seconds",
            "Time from sending a request to the PMS to its whole answer, or to giving up.",
            ("operation", "outcome"),
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self._breaker = Gauge(
            "pms_circuit_breaker_state",
            "State of the PMS's circuit breaker: 0 closed, 1 open, 2 half-open.",
            ("pms",),
            registry=registry,
            multiprocess_mode="mostrecent",  # the processes share one state; who saw it last knows best
        )

    def observe_call(self, operation: str, outcome: str, seconds: float) -> None:
        """Count one request to the PMS."""
        self._latency.labels(operation, outcome).observe(seconds)

    def observe_breaker(self, pms: str, state: int) -> None:
        """Show the state of a breaker."""
        self._breaker.labels(pms).set(state)


class CacheMetrics:
    """Looks into the cache by family. INFO's keyspace_hits cannot tell: it counts all clients and all commands.

    `lookups` is what HitRatio is made from.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lookups = Counter(
            "redis_cache_requests",
            "Looks into the cache, by family of keys and by how they ended.",
            ("family", "outcome"),
            registry=registry,
        )

    def count(self, family: Family, outcome: Lookup) -> None:
        """Count one look into the cache."""
        self.lookups.labels(family.value, outcome.value).inc()


class HitRatio(Collector):
    """Makes `redis_hit_ratio` from the counts of `source`, at the moment they are read.

    With one process, `source` is `CacheMetrics.lookups`; with several, their merged counts
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


def _ratio_metric() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "redis_hit_ratio",
        "Share of looks into the cache that found a value, 0 to 1, by family of keys and in all.",
        labels=["family"],
    )
