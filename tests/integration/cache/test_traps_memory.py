"""Traps of memory: what is not measured, what differs between servers, and policies that evict nothing or too much."""

import shutil
from pathlib import Path

import pytest
import redis

from dbvitals.collect.rdb import read_rdb
from dbvitals.collect.rdb_calibration import measure_by
from dbvitals.collect.redis_wire import Wire
from dbvitals.sandbox import RedisServer, start_redis
from tests.integration.cache.ground import (
    FOLDING,
    Client,
    binary_of,
    client_of,
    fill,
    patterns_of,
    see,
    target_of,
)
from tests.integration.cache.reports import report_of, rules_of


def test_the_reports_memory_is_reconciled_with_the_servers_trap_19(any_server: RedisServer, any_client: Client) -> None:
    fill(any_client, keys=20_000)
    memory = report_of(see(target_of(any_server))).memory
    assert memory.keyspace_bytes is not None
    assert memory.measured_bytes is not None
    assert memory.unaccounted_bytes is not None
    assert memory.unaccounted_bytes == memory.keyspace_bytes - memory.measured_bytes
    assert 0 < memory.unaccounted_bytes < 0.5 * memory.keyspace_bytes


def test_a_lopsided_hash_that_samples_miss_is_missing_from_the_sum_and_said_trap_20(
    valkey: RedisServer, client: Client
) -> None:
    client.hset("lopsided", mapping=dict.fromkeys(range(20_000), "x"))
    client.hset("lopsided", "giant", "y" * 20_000_000)
    report = report_of(see(target_of(valkey)))
    assert report.memory.measured_bytes is not None
    assert report.memory.unaccounted_bytes is not None
    assert report.memory.unaccounted_bytes > 15_000_000 or report.memory.measured_bytes > 20_000_000
    assert "RED010" in rules_of(report) or abs(report.memory.unaccounted_bytes) < 15_000_000


@pytest.mark.parametrize(
    ("policy", "rule", "severity"),
    [
        ("volatile-lru", "RED008", "high"),
        ("noeviction", "RED008", "high"),
        ("allkeys-lru", "RED018", "high"),
    ],
)
def test_a_policy_is_judged_against_the_ttls_trap_24(policy: str, rule: str, severity: str) -> None:
    with start_redis(settings={"maxmemory-policy": policy, "maxmemory": "24mb"}) as server, client_of(server) as client:
        for number in range(205):
            client.set(f"tenant:{number}", "x" * 100_000)
        client.set("lock:1", "x", ex=600)
        report = report_of(see(target_of(server)))
    found = {finding.rule: finding for finding in report.findings}
    assert found[rule].severity == severity
    assert policy in found[rule].message
    assert report.summary.maxmemory_policy == policy
    assert report.summary.maxmemory_bytes == 24 * 1024 * 1024


def write_large_ones(client: Client) -> None:
    for number in range(200):
        client.set(f"tenant:{number}", "x" * 100_000)


def test_a_volatile_policy_refuses_writes_and_evicts_nothing_trap_24() -> None:
    with (
        start_redis(settings={"maxmemory-policy": "volatile-lru", "maxmemory": "8mb"}) as server,
        client_of(server) as client,
    ):
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            write_large_ones(client)
        report = report_of(see(target_of(server)))
    assert report.summary.evicted_keys == 0
    assert "RED008" in rules_of(report)


def test_evictions_are_said_trap_24_26() -> None:
    with (
        start_redis(settings={"maxmemory-policy": "allkeys-lru", "maxmemory": "8mb"}) as server,
        client_of(server) as client,
    ):
        for number in range(200):
            client.set(f"session:{number}", "x" * 100_000, ex=900)
        report = report_of(see(target_of(server)))
    (evicted,) = (finding for finding in report.findings if finding.rule == "RED003")
    assert report.summary.evicted_keys is not None
    assert report.summary.evicted_keys > 50
    assert f"{report.summary.evicted_keys:,} keys evicted" in evicted.message
    assert evicted.severity == "high"


def test_an_lfu_policy_is_no_obstacle_trap_27() -> None:
    with (
        start_redis(settings={"maxmemory-policy": "allkeys-lfu", "maxmemory": "64mb"}) as server,
        client_of(server) as client,
    ):
        fill(client)
        client.set("cold", "x")
        frequency = client.object("freq", "cold")
        snapshot = see(target_of(server))
        assert client.object("freq", "cold") == frequency
    assert snapshot.skipped == ()


@pytest.mark.parametrize("kind", ["debian", "redis-6.2"])
def test_a_dumps_bytes_are_those_of_the_server_that_calibrates_them_trap_21(kind: str, tmp_path: Path) -> None:
    """The same keys take other sizes where another allocator gives the memory."""
    with start_redis() as writer, start_redis(binary_of(kind)) as other:
        with client_of(writer) as client, client_of(other) as copy:
            for one in (client, copy):
                one.mset({f"tenant:{number}": "x" * (number % 120) for number in range(1_200)})
            client.save()
            folder, file = (str(client.config_get(name)[name]) for name in ("dir", "dbfilename"))
        dump = Path(shutil.copy(Path(folder) / file, tmp_path))
        sizes = {server: (calibrated(dump, server), measured(server)) for server in (writer, other)}
    (estimate, exact), (estimate_there, exact_there) = sizes[writer], sizes[other]
    assert exact_there > 1.2 * exact
    assert abs(estimate - exact) < abs(estimate - exact_there)
    assert abs(estimate_there - exact_there) < abs(estimate_there - exact)


def calibrated(dump: Path, server: RedisServer) -> int:
    with Wire(target_of(server), connect_timeout=10, answer_timeout=10) as wire:
        return patterns_of(read_rdb(dump, FOLDING, measure=measure_by(wire)))["tenant:*"].memory_bytes


def measured(server: RedisServer) -> int:
    return patterns_of(see(target_of(server)))["tenant:*"].memory_bytes
