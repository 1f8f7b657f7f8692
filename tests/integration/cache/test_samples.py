"""Random samples of a keyspace: shares with their error, and no trust where giants make chance of them."""

import pytest

from dbvitals.analyse.keyspace import analyse_keyspace
from dbvitals.analyse.keyspace_report import CacheReport
from dbvitals.analyse.keyspace_thresholds import CacheThresholds
from dbvitals.sandbox import RedisServer
from tests.integration.cache.ground import FAMILIES, FOLDING, Client, see, target_of


def sampled(server: RedisServer, keys: int) -> CacheReport:
    return analyse_keyspace(
        see(target_of(server), sample=keys),
        families=FAMILIES,
        folding=FOLDING,
        thresholds=CacheThresholds(),
        duration_seconds=0.0,
        tool_version="0",
    )


def load(client: Client) -> None:
    pipeline = client.pipeline(transaction=False)
    for number in range(9_000):
        pipeline.set(f"session:{number}", "x" * 100, ex=600)
        if number % 3 == 0:
            pipeline.set(f"tenant:{number}", "x" * 300)
    pipeline.execute()


def test_a_sample_scales_to_the_keyspace_with_an_error_bar(any_server: RedisServer, any_client: Client) -> None:
    load(any_client)
    report = sampled(any_server, 2_000)
    patterns = {one.pattern: one for one in report.patterns}
    assert report.summary.total_keys == 12_000
    assert patterns["session:*"].count == pytest.approx(9_000, rel=0.15)
    assert patterns["tenant:*"].no_ttl == patterns["tenant:*"].count
    assert report.summary.coverage.mode == "sample"
    assert report.summary.coverage.confidence.startswith("estimate")
    error = report.summary.coverage.error_percent
    assert error is not None
    assert 0 < error <= 5
    assert patterns["session:*"].memory_error_percent == pytest.approx(error, abs=2)


def test_a_sample_with_a_giant_in_it_is_not_trusted_trap_22(valkey: RedisServer, client: Client) -> None:
    client.mset({f"session:{number}": "x" for number in range(3_000)})
    for number in range(60):
        client.set(f"giant:{number}", "x" * 500_000)
    report = sampled(valkey, 1_000)
    assert report.summary.coverage.confidence.startswith("not trustworthy: one of its keys holds")


def test_a_sample_that_misses_the_giants_is_not_trusted_trap_22(valkey: RedisServer, client: Client) -> None:
    """One giant among 30,000: a sample of 100 has seen it once in three hundred times."""
    pipeline = client.pipeline(transaction=False)
    for number in range(30_000):
        pipeline.set(f"session:{number}", "x" * 100)
    pipeline.execute()
    client.set("giant", "x" * 60_000_000)
    report = sampled(valkey, 100)
    assert report.summary.coverage.confidence.startswith("not trustworthy: ")


def test_a_sample_of_as_many_keys_as_there_are_is_all_of_them(valkey: RedisServer, client: Client) -> None:
    client.mset({f"session:{number}": "x" for number in range(200)})
    report = sampled(valkey, 200)
    assert (report.summary.coverage.mode, report.summary.coverage.keys_seen) == ("full", 200)
