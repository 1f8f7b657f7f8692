"""Rules about what keys take: what sets each off, and what does not."""

import pytest
from msgspec import structs

from dbvitals.model import Severity
from dbvitals.snapshot_keyspace import DatabaseInfo, KeySize, TenantMemory
from tests.unit.cache.builders import found, node, snapshot, stats

MIB = 1024 * 1024


def test_a_giant_is_worse_the_more_of_the_memory_it_holds_red009() -> None:
    giant = KeySize(key="queue", memory_bytes=64 * MIB, type="list")
    alone = snapshot(stats("queue", [-1], memory_bytes=64 * MIB, largest=(giant,)))
    assert found("RED009", alone)[0].severity is Severity.HIGH
    among = snapshot(
        stats("queue", [-1], memory_bytes=64 * MIB, largest=(giant,)),
        stats("a:<n>", [-1] * 100, memory_bytes=13 * MIB),
    )
    assert found("RED009", among)[0].severity is Severity.MEDIUM
    assert not found("RED009", snapshot(stats("queue", [-1], largest=(structs.replace(giant, memory_bytes=MIB - 1),))))


def test_memory_that_the_keys_do_not_account_for_red010_trap_19() -> None:
    keys = stats("a:<n>", [-1] * 100, memory_bytes=10_000)
    database = (DatabaseInfo(index=0, keys=100, expires=0),)
    (finding,) = found("RED010", snapshot(keys, nodes=(node(keyspace_bytes=8_000_000, databases=database),)))
    assert finding.evidence[0].value == 7_000_000
    elsewhere = (*database, DatabaseInfo(index=1, keys=5, expires=0))
    assert not found("RED010", snapshot(keys, nodes=(node(keyspace_bytes=8_000_000, databases=elsewhere),)))


@pytest.mark.parametrize(
    ("keys", "each", "accounted"),
    [(100, 10_000, 4 * MIB + 10_000), (100, 1_000_000, 20_010_000), (100_000, 500, 20_000_000)],
    ids=["server's own", "a fifth", "hash tables and a fifth"],
)
def test_what_a_server_takes_beside_its_keys_is_no_fault_red010(keys: int, each: int, accounted: int) -> None:
    known = structs.replace(stats("a:<n>"), count=keys, memory_known=keys, memory_bytes=keys * each)
    database = DatabaseInfo(index=0, keys=keys, expires=0)
    stated = keys * each + accounted
    full = node(keyspace_bytes=stated, used_memory=stated, databases=(database,))
    assert not found("RED010", snapshot(known, nodes=(full,)))
    more = structs.replace(full, keyspace_bytes=stated + 1)
    (finding,) = found("RED010", snapshot(known, nodes=(more,)))
    assert finding.evidence[0].value == accounted + 1


def test_small_collections_in_a_large_encoding_red011() -> None:
    small = stats("session:*", [9_000] * 100, memory_bytes=900, types_known=20, encodings={"hash/hashtable": 20})
    (finding,) = found("RED011", snapshot(small))
    assert "hash-max-listpack-value 64" in finding.message
    older = node(config={"hash-max-ziplist-value": "64"})
    assert "hash-max-ziplist-value 64" in found("RED011", snapshot(small, nodes=(older,)))[0].message
    large = stats("session:*", [9_000] * 100, memory_bytes=9_000, types_known=20, encodings={"hash/hashtable": 20})
    assert not found("RED011", snapshot(large))
    assert not found("RED011", snapshot(structs.replace(small, encodings={"hash/listpack": 20})))


def test_one_tenant_with_most_of_the_memory_red012() -> None:
    keys = stats("availability:*", [9_000] * 100, memory_bytes=MIB // 10)
    shares = (
        TenantMemory(tenant="7", keys=80, memory_bytes=8 * MIB),
        TenantMemory(tenant="8", keys=20, memory_bytes=2 * MIB),
    )
    assert "one tenant, 7, has 80 %" in found("RED012", snapshot(keys, tenants=shares))[0].message
    even = (structs.replace(shares[0], memory_bytes=5 * MIB), structs.replace(shares[1], memory_bytes=5 * MIB))
    assert not found("RED012", snapshot(keys, tenants=even))
    assert not found("RED012", snapshot(keys, tenants=shares[:1]))


def test_fragmentation_counts_where_it_is_much_red013() -> None:
    assert found("RED013", snapshot(nodes=(node(fragmentation_ratio=1.6, fragmentation_bytes=200 * MIB),)))
    assert not found("RED013", snapshot(nodes=(node(fragmentation_ratio=6.0, fragmentation_bytes=5 * MIB),)))
    assert not found("RED013", snapshot(nodes=(node(fragmentation_ratio=1.2, fragmentation_bytes=900 * MIB),)))
