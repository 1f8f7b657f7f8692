"""Pools' figures for Prometheus, by OpenTelemetry's names.

Every metric goes into a registry that is handed in, and adds up over several processes. The histograms and the counter
grow by themselves; gauges are as of the last `refresh()`, which is called before a scrape is answered and, with several
processes, by a timer of each.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from dbvitals.observe.pool import Listener, PoolObserver

# From a connection that lies ready to the time-out of a pool (30 s by default) and beyond.
BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)

_POOL = "db_client_connection_pool_name"
_STATE = "db_client_connection_state"


class PoolMetrics:
    """OpenTelemetry's `db.client.connection.*` (semantic conventions for database client metrics), by pool."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._wait = _histogram(registry, "wait_time", "Time that one waits for a connection to be free.")
        self._use = _histogram(registry, "use_time", "Time from taking a connection to giving it back.")
        self._create = _histogram(registry, "create_time", "Time that the making of a connection takes.")
        self._timeouts = Counter(
            "db_client_connection_timeouts", "Waits that the pool has ended.", (_POOL,), registry=registry
        )
        self._count = _gauge(registry, "count", "Connections, by whether they are in use.", _STATE)
        self._idle_max = _gauge(registry, "idle_max", "The most connections that the pool keeps.")
        self._max = _gauge(registry, "max", "The most connections that may be in use at once.")
        self._pending = _gauge(registry, "pending_requests", "Those who wait for a connection now.")

    def listener(self, pool: str) -> Listener:
        """What `observe_pool` tells the times of the pool of this name."""
        return Listener(
            waited=self._wait.labels(pool).observe,
            held=self._use.labels(pool).observe,
            created=self._create.labels(pool).observe,
            timed_out=self._timeouts.labels(pool).inc,
        )

    def refresh(self, observer: PoolObserver) -> None:
        """Set the gauges of a pool. A limit that it has not has no sample."""
        state = observer.state()
        self._count.labels(state.name, "used").set(state.checked_out)
        self._count.labels(state.name, "idle").set(state.idle)
        self._pending.labels(state.name).set(state.pending)
        if state.capacity is not None:
            self._max.labels(state.name).set(state.capacity)
        if state.size:
            self._idle_max.labels(state.name).set(state.size)


def _histogram(registry: CollectorRegistry, name: str, what: str) -> Histogram:
    return Histogram(f"db_client_connection_{name}_seconds", what, (_POOL,), buckets=BUCKETS, registry=registry)


def _gauge(registry: CollectorRegistry, name: str, what: str, *labels: str) -> Gauge:
    return Gauge(f"db_client_connection_{name}", what, (_POOL, *labels), registry=registry, multiprocess_mode="livesum")
