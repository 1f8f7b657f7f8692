"""Collections of which a few elements hold nearly all: measured closely, or said to be missing."""

import time
from collections.abc import Callable

import pytest

from dbvitals.sandbox import RedisServer, start_redis
from tests.integration.cache.ground import (
    SYNC_AT_ONCE,
    Client,
    binary_of,
    client_of,
    fill,
    patterns_of,
    run,
    see,
    target_of,
    until,
)
from tests.integration.cache.reports import report_of, rules_of

LARGE = 6_000_000
ELEMENTS = 2_000


def write_hash(client: Client, key: str) -> None:
    client.hset(key, mapping={f"field{number}": "x" * 20 for number in range(ELEMENTS)})
    client.hset(key, "photo", "y" * LARGE)


def write_set(client: Client, key: str) -> None:
    client.sadd(key, *(f"member{number}" for number in range(ELEMENTS)), "y" * LARGE)


def write_zset(client: Client, key: str) -> None:
    """MEMORY USAGE begins with the lowest score."""
    client.zadd(key, {f"member{number}": number for number in range(ELEMENTS)} | {"y" * LARGE: ELEMENTS})


def write_list(client: Client, key: str) -> None:
    """MEMORY USAGE begins with the head."""
    client.rpush(key, *("x" * 100 for _ in range(10 * ELEMENTS)))
    client.rpush(key, "y" * LARGE)


WRITERS: dict[str, Callable[[Client, str], None]] = {
    "hash": write_hash,
    "set": write_set,
    "zset": write_zset,
    "list": write_list,
}


def test_a_large_element_among_thousands_is_measured_whether_it_comes_first_or_last(
    any_server: RedisServer, any_client: Client
) -> None:
    for kind, write in WRITERS.items():
        write(any_client, f"{kind}:large")
    true = {kind: any_client.memory_usage(f"{kind}:large", samples=0) for kind in WRITERS}
    snapshot = see(target_of(any_server), show_keys=True)
    for kind in WRITERS:
        stats = patterns_of(snapshot)[f"{kind}:large"]
        (key,) = stats.largest
        assert stats.memory_bytes == key.memory_bytes == pytest.approx(true[kind], rel=0.02)
        assert (key.type, key.lopsided) == (kind, True)
    assert sorted(rules_of(report_of(snapshot))["RED009"]) == sorted(f"{kind}:large" for kind in WRITERS)


def test_a_collection_whose_elements_are_alike_is_not_lopsided(any_server: RedisServer, any_client: Client) -> None:
    any_client.hset("even", mapping={f"field{number}": "x" * 200 for number in range(3 * ELEMENTS)})
    (key,) = patterns_of(see(target_of(any_server)))["even"].largest
    assert (key.type, key.lopsided) == ("hash", False)


def test_what_a_tenant_has_is_corrected_too(valkey: RedisServer, client: Client) -> None:
    write_zset(client, "availability:hotel-7:rooms")
    (tenant,) = see(target_of(valkey)).tenants
    assert tenant.memory_bytes == pytest.approx(client.memory_usage("availability:hotel-7:rooms", samples=0), rel=0.02)


@pytest.mark.parametrize("first", [True, False], ids=["counted for all", "not seen"])
def test_what_no_sample_can_tell_is_said_red010(any_server: RedisServer, any_client: Client, first: bool) -> None:
    """A member among more than are measured: the first stands for all others, the last for none."""
    large, others = "y" * 20_000_000, range(30_000)
    any_client.zadd("board", {f"member{number}": number for number in others} | {large: -1 if first else len(others)})
    report = report_of(see(target_of(any_server)))
    (finding,) = (one for one in report.findings if one.rule == "RED010")
    assert report.memory.unaccounted_bytes is not None
    assert (report.memory.unaccounted_bytes < -15_000_000) == first
    assert (report.memory.unaccounted_bytes > 15_000_000) != first
    assert finding.evidence[0].value == report.memory.unaccounted_bytes


@pytest.mark.parametrize("kind", ["valkey-9.1", "debian"])
def test_expired_keys_that_are_still_in_memory_are_no_lopsided_collections_trap_26(kind: str) -> None:
    with start_redis(binary_of(kind), settings={"enable-debug-command": "yes"}) as server, client_of(server) as client:
        run(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0")
        fill(client, keys=200)
        for number in range(3_000):
            client.set(f"report:{number}", "x" * 5_000, px=1 if number else 600_000)
        time.sleep(0.1)
        alive = client.dbsize() - 2_999
        report = report_of(see(target_of(server)))
    assert report.summary.total_keys == alive
    assert report.summary.coverage.keys_before == alive + 2_999
    assert "; 2,999 keys more had expired" in report.summary.coverage.confidence
    assert "RED010" not in rules_of(report)
    assert report.memory.unaccounted_bytes is not None
    assert report.memory.unaccounted_bytes > 10_000_000


def test_a_replica_says_whose_keys_and_whose_counters_these_are() -> None:
    with start_redis(settings=SYNC_AT_ONCE) as primary:
        settings = {"replicaof": f"{primary.host} {primary.port}", "masterauth": primary.password}
        with start_redis(settings=settings) as replica:
            with client_of(replica) as reader:
                reader.config_set("requirepass", primary.password)
            replica.password = primary.password
            with client_of(primary) as writer, client_of(replica) as reader:
                fill(writer, keys=50)
                until(lambda: reader.dbsize() == writer.dbsize())
            report = report_of(see(target_of(replica)))
    assert (report.target.port, report.target.role) == (replica.port, "replica")
    assert report.summary.coverage.keys_from == (target_of(replica).name,)
    assert report.summary.counters_of == (target_of(primary).name,)
