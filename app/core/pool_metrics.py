"""What this process's connections to PostgreSQL are doing, as the nine `db_pool_*` gauges of the guide."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

# The guide's threshold of a long-running query.
LONG_SECONDS = 30.0
STATE = "pool_metrics"

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


@dataclass(slots=True, eq=False)
class _State:
    """One open connection."""

    in_use: bool = False
    in_transaction: bool = False
    running_since: float | None = None

    def rest(self) -> None:
        self.in_transaction = False
        self.running_since = None


class PoolWatch:
    """Follows an engine's connections through SQLAlchemy's events.

    The pool's own `checkedin()` and `overflow()` also count places whose connection was lost or taken out, so
    here connections are counted as they are made and closed.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        """Give it an engine that has no connection yet."""
        self._clock = clock
        self._open: set[_State] = set()
        for name, listener in (
            ("connect", self._connected),
            ("checkout", self._taken),
            ("checkin", self._given_back),
            ("close", self._gone),
            ("detach", self._gone),
            ("before_cursor_execute", self._begins),
            ("after_cursor_execute", self._ends),
            ("commit", self._transaction_over),
            ("rollback", self._transaction_over),
        ):
            event.listen(engine, name, listener)

    @property
    def total(self) -> int:
        """Open connections."""
        return len(self._open)

    @property
    def active(self) -> int:
        """Connections in use."""
        return sum(state.in_use for state in self._open)

    @property
    def idle_in_transaction(self) -> int:
        """Connections in a transaction that run no statement."""
        return sum(state.in_transaction and state.running_since is None for state in self._open)

    def running_longer_than(self, seconds: float) -> int:
        """Statements that began longer ago and are not through."""
        begun_before = self._clock() - seconds
        return sum(state.running_since is not None and state.running_since < begun_before for state in self._open)

    def _connected(self, _: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        state = entry.info[STATE] = _State()
        self._open.add(state)

    def _taken(self, _: DBAPIConnection, entry: ConnectionPoolEntry, __: object) -> None:
        entry.info[STATE].in_use = True

    def _given_back(self, _: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        if (state := entry.info.get(STATE)) is not None:
            state.in_use = False
            state.rest()

    def _gone(self, _: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        self._open.discard(entry.info.pop(STATE, None))

    def _begins(self, connection: Connection, *_: object) -> None:
        if (state := _state_of(connection)) is not None:
            state.running_since = self._clock()
            state.in_transaction = not getattr(connection.connection.dbapi_connection, "autocommit", False)

    def _ends(self, connection: Connection, *_: object) -> None:
        if (state := _state_of(connection)) is not None:
            state.running_since = None

    def _transaction_over(self, connection: Connection) -> None:
        if (state := _state_of(connection)) is not None:
            state.rest()


def _state_of(connection: Connection) -> _State | None:
    """None for a connection that was lost or taken out of the pool; it is not counted any more."""
    return None if connection.invalidated else connection.info.get(STATE)


class PoolMetrics:
    """The gauges; `refresh` sets them, every so often and before a scrape.

    With several workers their values are added up at the scrape: what is shown is the whole service's.
    """

    def __init__(self, registry: CollectorRegistry, watch: PoolWatch, size: int, max_overflow: int) -> None:
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
