"""What was denied, or not reached, is no 0 in the report, and no reason for a finding."""

import pytest
from msgspec import structs

from dbvitals.snapshot_keyspace import DatabaseInfo, KeyspaceSnapshot, SampledKey, TenantMemory
from tests.unit.cache.builders import NODE, counters, found, node, report, snapshot, stats

TWO = (DatabaseInfo(index=0, keys=100, expires=70), DatabaseInfo(index=1, keys=9, expires=0))


def rooms(keys: int = 100, **changes: int) -> KeyspaceSnapshot:
    known = structs.replace(stats("availability:*", [60_000] * keys, memory_bytes=200), **changes)
    return snapshot(known, nodes=(node(databases=TWO),))


def test_where_pttl_is_denied_info_tells_how_many_have_no_ttl() -> None:
    denied = report(rooms(ttl_known=0))
    assert denied.summary.keys_without_ttl == 30
    assert denied.patterns[0].no_ttl is None
    assert report(rooms()).summary.keys_without_ttl == report(rooms()).patterns[0].no_ttl == 0


def test_info_counts_the_databases_that_were_read() -> None:
    assert report(structs.replace(rooms(ttl_known=0), database="1")).summary.keys_without_ttl == 9
    assert report(structs.replace(rooms(ttl_known=0), database="all")).summary.keys_without_ttl == 39


def test_info_counts_nothing_for_a_part_of_the_keys() -> None:
    denied = rooms(ttl_known=0)
    partial = structs.replace(denied, coverage=structs.replace(denied.coverage, ended="max-seconds"))
    assert report(partial).summary.keys_without_ttl is None
    assert report(rooms(ttl_known=0, forbidden=5)).summary.keys_without_ttl is None


def test_where_memory_usage_is_denied_no_size_is_known() -> None:
    tenants = (TenantMemory(tenant="7", keys=9, memory_bytes=0),)
    seen = report(structs.replace(rooms(memory_known=0, memory_bytes=0), tenants=tenants))
    assert (seen.memory.measured_bytes, seen.memory.unaccounted_bytes) == (None, None)
    assert (seen.patterns[0].memory_bytes, seen.patterns[0].memory_percent) == (None, None)
    assert (seen.tenants[0].memory_bytes, seen.tenants[0].memory_percent) == (None, None)
    assert report(snapshot()).memory.measured_bytes == 0


def test_keys_that_may_not_be_read_are_no_unaccounted_memory_red010() -> None:
    readable = rooms().patterns[0]
    stated = (node(keyspace_bytes=90_000_000, databases=(DatabaseInfo(index=0, keys=100, expires=0),)),)
    assert found("RED010", snapshot(readable, nodes=stated))
    seen = snapshot(readable, stats("lock:*", forbidden=32_332), nodes=stated)
    assert not found("RED010", seen)
    coverage = report(seen).summary.coverage
    assert coverage.confidence == "partial: 32,332 keys may not be read by this login"
    assert not coverage.trusted


def test_a_missing_node_makes_the_report_a_partial_one() -> None:
    seen = rooms()
    missing = structs.replace(seen, coverage=structs.replace(seen.coverage, nodes_missing=1))
    assert report(missing).summary.coverage.confidence == "partial: a node is missing, with its keys"
    assert not report(missing).summary.coverage.trusted
    assert report(seen).summary.coverage.trusted


def test_expired_keys_that_are_still_there_are_said_beside_the_exact_ones() -> None:
    seen = rooms()
    stale = structs.replace(seen, coverage=structs.replace(seen.coverage, keys_before=1_000, keys_after=1_000))
    assert "; 900 keys more had expired" in report(stale).summary.coverage.confidence
    few = structs.replace(seen, coverage=structs.replace(seen.coverage, keys_before=101, keys_after=101))
    assert report(few).summary.coverage.confidence == "exact, but for what changed meanwhile"


def sampled(*sizes: int) -> KeyspaceSnapshot:
    keys = tuple(SampledKey(pattern="availability:*", memory_bytes=size) for size in sizes)
    seen = structs.replace(rooms(), nodes=(node(keyspace_bytes=12_000_000),))
    return structs.replace(
        seen, coverage=structs.replace(seen.coverage, mode="sample", keys_before=50_000), sample=keys
    )


@pytest.mark.parametrize(("largest", "trusted"), [(200, True), (20_000, False)])
def test_a_sample_has_an_error_as_long_as_it_is_trusted(largest: int, trusted: bool) -> None:
    seen = report(sampled(*[200] * 99, largest))
    coverage, row = seen.summary.coverage, seen.patterns[0]
    assert coverage.trusted == trusted
    assert [coverage.error_percent is None, row.memory_error_percent is None] == [not trusted] * 2
    assert seen.memory.unaccounted_bytes == (2_000_000 if trusted else None)
    assert report(rooms()).summary.coverage.error_percent is None


def test_one_node_without_limit_leaves_all_of_them_without() -> None:
    limited = node(maxmemory=5_000_000)
    both = snapshot(nodes=(limited, node(name="b:6379", maxmemory=0)))
    assert report(both).summary.maxmemory_bytes == 0
    assert (
        report(snapshot(nodes=(limited, structs.replace(limited, name="b:6379")))).summary.maxmemory_bytes == 10_000_000
    )


def test_a_replica_that_is_asked_is_what_the_report_is_about() -> None:
    primary = node(name="a:6379", host="a")
    replica = node(name=NODE, host="redis.example", role="replica")
    seen = report(snapshot(nodes=(primary, replica), before=(counters(node="a:6379"),)))
    assert (seen.target.host, seen.target.role) == ("redis.example", "replica")
    assert seen.summary.coverage.keys_from == (NODE,)
    assert seen.summary.counters_of == ("a:6379",)


def test_behind_a_sentinel_the_report_is_about_the_primary() -> None:
    primary, replica = node(name="a:6379", host="a"), node(name="b:6379", host="b", role="replica")
    seen = report(snapshot(nodes=(primary, replica), source="sentinel:26379"))
    assert (seen.target.host, seen.summary.coverage.keys_from) == ("a", ("b:6379",))
