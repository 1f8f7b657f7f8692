"""Metrics of the PMS and the cache: the names that are public, and a ratio that is never 0/0."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from app.core.metrics import CacheMetrics, HitRatio, Lookup, PmsMetrics
from app.core.redis import Family


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def cache(registry: CollectorRegistry) -> CacheMetrics:
    metrics = CacheMetrics(registry)
    registry.register(HitRatio(metrics.lookups))
    return metrics


def ratio(registry: CollectorRegistry, family: str) -> float | None:
    return registry.get_sample_value("redis_hit_ratio", {"family": family})


@pytest.mark.usefixtures("cache")
def test_before_the_first_look_there_is_no_ratio(registry: CollectorRegistry) -> None:
    text = generate_latest(registry).decode()
    assert "# TYPE redis_hit_ratio gauge" in text
    assert "redis_hit_ratio{" not in text


def test_a_cache_that_was_away_was_not_asked(registry: CollectorRegistry, cache: CacheMetrics) -> None:
    cache.count(Family.AVAILABILITY, Lookup.AWAY)
    assert ratio(registry, "availability") is None
    assert ratio(registry, "all") is None


def test_the_ratio_is_by_family_and_in_all(registry: CollectorRegistry, cache: CacheMetrics) -> None:
    for outcome in (Lookup.HIT, Lookup.STALE, Lookup.MISS, Lookup.CORRUPT, Lookup.AWAY):
        cache.count(Family.AVAILABILITY, outcome)
    for _ in range(4):
        cache.count(Family.TENANT, Lookup.HIT)
    assert ratio(registry, "availability") == 0.5
    assert ratio(registry, "tenant") == 1
    assert ratio(registry, "all") == 6 / 8


def test_the_pms_is_measured_under_its_public_names(registry: CollectorRegistry) -> None:
    metrics = PmsMetrics(registry)
    metrics.observe_call("availability", "ok", 0.03)
    metrics.observe_breaker("pms", 2)
    labels = {"operation": "availability", "outcome": "ok"}
    assert registry.get_sample_value("pms_api_latency_seconds_count", labels) == 1
    assert registry.get_sample_value("pms_api_latency_seconds_bucket", {**labels, "le": "0.05"}) == 1
    assert registry.get_sample_value("pms_api_latency_seconds_bucket", {**labels, "le": "0.025"}) == 0
    assert registry.get_sample_value("pms_circuit_breaker_state", {"pms": "pms"}) == 2


COUNTING = """
import sys
from prometheus_client import CollectorRegistry
from app.core.metrics import CacheMetrics, Lookup
from app.core.redis import Family
metrics = CacheMetrics(CollectorRegistry())
for outcome in sys.argv[1:]:
    metrics.count(Family.SESSION, Lookup(outcome))
"""
READING = """
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from app.core.metrics import HitRatio
registry = CollectorRegistry()
registry.register(HitRatio(MultiProcessCollector(CollectorRegistry())))
print(registry.get_sample_value("redis_hit_ratio", {"family": "all"}))
"""


def test_the_ratio_of_several_processes_is_of_their_counts_together(tmp_path: Path) -> None:
    def run(code: str, *arguments: str) -> str:
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    run(COUNTING, "hit")
    run(COUNTING, "miss", "miss", "miss")
    assert float(run(READING)) == 0.25
