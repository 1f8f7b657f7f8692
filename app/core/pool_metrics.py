"""What this process's connections to PostgreSQL are doing, as the nine `db_pool_*` gauges of the guide."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from dbvitals.observe.pool import PoolObserver

# The guide's threshold of a long-running query.
LONG_SECONDS = 30.0

GAUGES = {
    "db_pool_active_connections": "Connections of the service's pool that are in use.",
    "db_pool_idle_connections": "Connections of the service's pool that wait to be used.",
    "db_pool_total_connections": "Open connections of the service's pool.",
    "db_pool_overflow": "Open connections beyond the pool's size.",
    "db_pool_long_running_queries": f"Statements of the service that have been running for over {LONG_SECONDS:.0f} s.",
    "db_pool_idle_in_transaction": "Connections in use that are in a transaction and run no statement just now.",
    "db_pool_size_configured": "POSTGRES_POOL_SIZE, of all workers together.",
    "db_pool_max_overflow_configured": "POSTGRES_MAX_OVERFLOW, of all workers together.",
}
UTILIZATION = "db_pool_utilization_percent"
CONFIGURED = ("db_pool_size_configured", "db_pool_max_overflow_configured")


class PoolMetrics:
    """The gauges; `refresh` sets them, every so often and before a scrape.

    With several workers their values are added up at the scrape: what is shown is the whole service's.
    """

    def __init__(self, registry: CollectorRegistry, watch: PoolObserver, size: int, max_overflow: int) -> None:
        self._watch = watch
        self._size = size
        self._gauges = {
            name: Gauge(name, what, registry=registry, multiprocess_mode="livesum") for name, what in GAUGES.items()
        }
        self._set("db_pool_size_configured", size)
        self._set("db_pool_max_overflow_configured", max_overflow)

    def refresh(self) -> None:
        """Show what is the case now."""
        active, total = self._watch.active, self._watch.total
        self._set("db_pool_active_connections", active)
        self._set("db_pool_idle_connections", total - active)
        self._set("db_pool_total_connections", total)
        self._set("db_pool_overflow", max(0, total - self._size))
        self._set("db_pool_long_running_queries", self._watch.running_longer_than(LONG_SECONDS))
        self._set("db_pool_idle_in_transaction", self._watch.idle_in_transaction)

    def _set(self, name: str, value: int) -> None:
        self._gauges[name].set(value)


class PoolUtilization(Collector):
    """Makes `db_pool_utilization_percent` from the gauges of `source`: percentages cannot be added up.

    As the guide has it: open connections of those that there may be.
    """

    def __init__(self, source: Collector) -> None:
        self._source = source

    def describe(self) -> Iterable[Metric]:
        """Name the metric without reading the gauges."""
        return [_utilization()]

    def collect(self) -> Iterable[Metric]:
        """Give the share of the whole service's pools, 0 to 100."""
        values = {sample.name: sample.value for metric in self._source.collect() for sample in metric.samples}
        capacity = sum(values.get(name, 0) for name in CONFIGURED)
        metric = _utilization()
        if capacity:
            metric.add_metric([], 100 * values["db_pool_total_connections"] / capacity)
        return [metric]


def _utilization() -> GaugeMetricFamily:
    return GaugeMetricFamily(UTILIZATION, "Open connections of those that the service's pool may open, 0 to 100.")
