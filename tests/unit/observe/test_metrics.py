"""A pool's figures in a registry of Prometheus, from a pool of SQLite's."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import NullPool, QueuePool

from dbvitals.observe.metrics import PoolMetrics
from dbvitals.observe.pool import observe_pool

ROOT = Path(__file__).resolve().parents[3]
POOL = {"db_client_connection_pool_name": "main"}


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = create_engine("sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=1, pool_timeout=0.01)
    yield made
    made.dispose()


def used(registry: CollectorRegistry, state: str) -> float | None:
    labels = POOL | {"db_client_connection_state": state}
    return registry.get_sample_value("db_client_connection_count", labels)


def test_every_time_and_every_gauge_is_shown(engine: Engine) -> None:
    registry = CollectorRegistry()
    metrics = PoolMetrics(registry)
    observer = observe_pool(engine, application="test", name="main", listener=metrics.listener("main"))
    with engine.connect(), engine.connect(), pytest.raises(PoolTimeout):
        engine.connect()
    with engine.connect():
        metrics.refresh(observer)
        assert (used(registry, "used"), used(registry, "idle")) == (1, 0)

    def value(name: str) -> float | None:
        return registry.get_sample_value(f"db_client_connection_{name}", POOL)

    assert value("wait_time_seconds_count") == 4
    assert value("use_time_seconds_count") == 3
    assert value("create_time_seconds_count") == 2
    assert value("timeouts_total") == 1
    assert (value("max"), value("idle_max"), value("pending_requests")) == (2, 1, 0)
    metrics.refresh(observer)
    assert (used(registry, "used"), used(registry, "idle")) == (0, 1)


def test_two_pools_share_the_metrics() -> None:
    registry = CollectorRegistry()
    metrics = PoolMetrics(registry)
    for name in ("main", "admin"):
        engine = create_engine("sqlite://", poolclass=QueuePool)
        observer = observe_pool(engine, application="test", name=name, listener=metrics.listener(name))
        with engine.connect():
            metrics.refresh(observer)
        engine.dispose()
    shown = generate_latest(registry).decode()
    for name in ("main", "admin"):
        assert f'db_client_connection_count{{db_client_connection_pool_name="{name}"' in shown


WORKER = """
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine
from sqlalchemy.pool import QueuePool
from dbvitals.observe.metrics import PoolMetrics
from dbvitals.observe.pool import observe_pool
metrics = PoolMetrics(CollectorRegistry())
engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=3, max_overflow=2)
observer = observe_pool(engine, application="test", name="main", listener=metrics.listener("main"))
with engine.connect(), engine.connect():
    metrics.refresh(observer)
"""


def test_the_workers_of_one_service_add_up(tmp_path: Path) -> None:
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", WORKER], env=environment, check=True, timeout=120)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(tmp_path))  # type: ignore[no-untyped-call]
    assert used(registry, "used") == 4
    assert registry.get_sample_value("db_client_connection_max", POOL) == 10
    assert registry.get_sample_value("db_client_connection_use_time_seconds_count", POOL) == 4


def test_a_limit_that_there_is_not_has_no_sample() -> None:
    registry = CollectorRegistry()
    metrics = PoolMetrics(registry)
    observer = observe_pool(create_engine("sqlite://", poolclass=NullPool), application="test", name="main")
    metrics.refresh(observer)
    assert registry.get_sample_value("db_client_connection_max", POOL) is None
    assert registry.get_sample_value("db_client_connection_idle_max", POOL) is None
    assert used(registry, "used") == 0
