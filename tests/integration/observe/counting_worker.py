"""A worker of a service, with a pool of its own: holds as many connections as it is told until its input ends.

It counts as the service does; PROMETHEUS_MULTIPROC_DIR names the folder that the workers share.
"""

import sys
from contextlib import ExitStack

from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine

from app.core.metrics import PmsMetrics
from app.core.pool_metrics import PoolMetrics
from dbvitals.observe import metrics
from dbvitals.observe.pool import observe_pool

SIZE, OVERFLOW = 3, 2


def work(url: str, connections: int) -> None:
    """Hold them, and show it."""
    registry = CollectorRegistry()
    PmsMetrics(registry).observe_breaker("pms", 0)
    times = metrics.PoolMetrics(registry)
    engine = create_engine(url, pool_size=SIZE, max_overflow=OVERFLOW)
    observer = observe_pool(engine, application="test", name="main", listener=times.listener("main"))
    gauges = PoolMetrics(registry, observer, SIZE, OVERFLOW)
    with ExitStack() as held:
        for _ in range(connections):
            held.enter_context(engine.connect())
        gauges.refresh()
        times.refresh(observer)
        sys.stdout.write("counted\n")
        sys.stdout.flush()
        sys.stdin.read()
    engine.dispose()


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]))
