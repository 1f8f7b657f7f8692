"""The page for Prometheus, made of several workers' files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from app.api.exposition import FOLDER_VARIABLE, Exposition
from app.core.metrics import CacheMetrics, Lookup
from app.core.pool_metrics import PoolUtilization
from app.core.redis import Family

WORKER = """
import sys
from prometheus_client import CollectorRegistry, Counter, Gauge
registry = CollectorRegistry()
names = ("db_pool_size_configured", "db_pool_max_overflow_configured", "db_pool_total_connections")
for name, value in zip(names, map(int, sys.argv[1:4])):
    Gauge(name, name, registry=registry, multiprocess_mode="livesum").set(value)
looks = Counter("redis_cache_requests", "Looks.", ("family", "outcome"), registry=registry)
looks.labels("tenant", "hit").inc(int(sys.argv[4]))
looks.labels("tenant", "miss").inc(int(sys.argv[5]))
print("counted", flush=True)
sys.stdin.read()
"""


def worker(folder: Path, *figures: int) -> subprocess.Popen[str]:
    """Another process that has counted something, and lives until its input ends."""
    command = [sys.executable, "-c", WORKER, *map(str, figures)]
    environment = {**os.environ, FOLDER_VARIABLE: str(folder)}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "counted\n"
    return process


def shown(exposition: Exposition) -> dict[str, float]:
    page, media_type = exposition.page("")
    assert media_type.startswith("text/plain")
    pairs = (line.rpartition(" ") for line in page.decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def test_figures_are_added_up_and_ratios_made_of_the_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    exposition = Exposition(CollectorRegistry())
    with worker(tmp_path, 10, 20, 6, 30, 10) as first, worker(tmp_path, 10, 20, 0, 0, 60) as second:
        figures = shown(exposition)
        assert figures["db_pool_size_configured"] == 20
        assert figures["db_pool_utilization_percent"] == 10
        assert figures['redis_hit_ratio{family="all"}'] == 0.3
        first.communicate()
        figures = shown(exposition)
        assert figures["db_pool_size_configured"] == 10
        assert figures["db_pool_utilization_percent"] == 0
        assert figures['redis_hit_ratio{family="tenant"}'] == 0.3
        second.communicate()
    assert "db_pool_size_configured" not in shown(exposition)


def test_a_file_that_a_worker_is_making_just_now_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    (tmp_path / f"gauge_livesum_{os.getpid()}.db").touch()
    with worker(tmp_path, 10, 20, 6, 1, 1) as only:
        assert shown(Exposition(CollectorRegistry()))["db_pool_total_connections"] == 6
        only.communicate()


def test_one_process_shows_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    registry = CollectorRegistry()
    CacheMetrics(registry).count(Family.TENANT, Lookup.HIT)
    assert shown(Exposition(registry))['redis_hit_ratio{family="tenant"}'] == 1


def test_without_a_pool_there_is_no_utilization() -> None:
    assert [metric.samples for metric in PoolUtilization(CollectorRegistry()).collect()] == [[]]
