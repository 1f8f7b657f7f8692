"""What the service counts about the PMS and the cache; every metric goes into a registry that is handed in."""

from prometheus_client import CollectorRegistry, Gauge, Histogram

from app.core.redis import Family
from dbvitals.observe.cache import CacheCounters, HitRatio
from dbvitals.observe.cache import Outcome as Lookup

__all__ = ["CacheMetrics", "HitRatio", "Lookup", "PmsMetrics"]

# From a PMS in the same building to one that is about to time out.
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)


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
    """Looks into the cache by family. `lookups` is what HitRatio is made from."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counters = CacheCounters(registry)
        self.lookups = self._counters.requests

    def count(self, family: Family, outcome: Lookup) -> None:
        """Count one look into the cache."""
        self._counters.count(family.value, outcome)
