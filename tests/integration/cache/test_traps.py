"""Traps of a keyspace that one server can show: vanishing keys, times that round, counters that are reset, and more."""

import time

import pytest
import redis

from dbvitals.analyse.hit_ratio import traffic
from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.keyspace import analyse_keyspace
from dbvitals.analyse.keyspace_report import CacheReport
from dbvitals.analyse.keyspace_thresholds import CacheThresholds
from dbvitals.collect.keyspace_harvest import Harvest
from dbvitals.collect.redis_pace import Pacer
from dbvitals.collect.redis_pass import ScriptPass
from dbvitals.collect.redis_pipeline import PipelinePass
from dbvitals.collect.redis_wire import Wire
from dbvitals.sandbox import RedisServer, start_redis
from dbvitals.snapshot_keyspace import KeyspaceSnapshot
from tests.integration.cache.ground import (
    FAMILIES,
    FOLDING,
    QUICK,
    SYNC_AT_ONCE,
    Client,
    client_of,
    fill,
    patterns_of,
    reads_of,
    run,
    see,
    target_of,
    until,
)


def report_of(snapshot: KeyspaceSnapshot, earlier: KeyspaceSnapshot | None = None) -> CacheReport:
    return analyse_keyspace(
        snapshot,
        families=FAMILIES,
        folding=FOLDING,
        thresholds=CacheThresholds(),
        earlier=earlier,
        duration_seconds=0.0,
        tool_version="0",
    )


def rules_of(report: CacheReport) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in report.findings:
        found.setdefault(finding.rule, []).append(finding.subject.name)
    return found


class Dawdling(Wire):
    """A connection on which keys are asked for long after their page was read."""

    def send_raw(self, packed: bytes) -> None:
        if b"PTTL" in packed:
            time.sleep(3.3)
        super().send_raw(packed)


def test_keys_that_vanish_are_neither_with_nor_without_ttl_trap_12(any_server: RedisServer, any_client: Client) -> None:
    pipeline = any_client.pipeline(transaction=False)
    for number in range(60):
        pipeline.set(f"lock:{number}", "x" * 20_000, px=3_000)
    pipeline.set("lock:stays", "x", px=60_000)
    pipeline.execute()
    harvest = Harvest(FOLDING, show_keys=False)
    with Dawdling(target_of(any_server), connect_timeout=10, answer_timeout=10) as wire:
        assert PipelinePass(wire, harvest, Pacer(QUICK)).walk(0, lambda keys: None)
    (locks,) = harvest.tally.freeze()
    assert (locks.count, locks.gone, locks.no_ttl, locks.forbidden) == (1, 60, 0, 0)
    assert locks.memory_known == 1
    assert locks.memory_bytes < 1_000
    assert (harvest.own[wire.name].misses, harvest.giants) == (any_client.info("stats")["keyspace_misses"], [])


def test_less_than_a_second_is_a_ttl_trap_13(any_server: RedisServer, any_client: Client) -> None:
    any_client.set("lock:1", "x", px=450)
    assert any_client.ttl("lock:1") in (0, -2)  # the latter on a machine that is busy elsewhere
    (locks,) = see(target_of(any_server)).patterns
    assert (locks.count + locks.gone, locks.no_ttl) == (1, 0)


def test_keys_without_ttl_are_no_part_of_the_mean_trap_14(valkey: RedisServer, client: Client) -> None:
    client.mset({f"tenant:{number}": "x" for number in range(90)})
    for number in range(90, 100):
        client.set(f"tenant:{number}", "x", ex=1000)
    ttl = next(one for one in report_of(see(target_of(valkey))).patterns if one.pattern == "tenant:*").ttl
    assert ttl.avg == pytest.approx(1000, abs=60)
    assert ttl.p50 == pytest.approx(1000, rel=0.1)


def test_a_plain_set_takes_the_ttl_of_a_lock_away_trap_25(valkey: RedisServer, client: Client) -> None:
    client.set("lock:kept", "x", ex=60)
    client.set("lock:lost", "x", ex=60)
    client.set("lock:lost", "y")
    client.mset({f"tenant:{number}": "x" for number in range(10)})
    report = report_of(see(target_of(valkey)))
    (lock,) = (finding for finding in report.findings if finding.rule == "RED006")
    assert (lock.subject.name, lock.severity) == ("lock:*", "critical")
    assert "1 key without TTL" in lock.message
    assert "tenant:*" not in rules_of(report).get("RED002", [])


def test_a_window_counts_the_clients_reads_only_trap_1(any_server: RedisServer, any_client: Client) -> None:
    fill(any_client)
    for _ in range(7):
        any_client.get("absent")
    before = see(target_of(any_server), window=0.001)
    assert (traffic(before).hits, traffic(before).misses) == (0, 0)
    assert traffic(before).own_hits > 1_000
    assert traffic(before).ratio is None
    for number in range(30):
        any_client.get(f"hotel{number}:session:{number}")
    any_client.get("absent")
    since = traffic(see(target_of(any_server)), before)
    assert (since.source, since.hits, since.misses, since.own_hits) == ("saved", 30, 1, 0)


def test_reads_within_the_window_are_told_from_our_own_trap_1(valkey: RedisServer, client: Client) -> None:
    fill(client)
    reads = [0]

    def read(_: object) -> None:
        for number in range(20):
            client.get(f"hotel{number}:session:{number}")
        client.get("absent")
        reads[0] += 1

    harvest = Harvest(FOLDING, show_keys=False)
    client.config_resetstat()
    with Wire(target_of(valkey), connect_timeout=10, answer_timeout=10) as wire:
        ScriptPass(wire, harvest, Pacer(QUICK), ask_fields=False).walk(0, read)
    own = harvest.own[wire.name]
    counted = reads_of(client)
    assert (counted.hits - own.hits, counted.misses - own.misses) == (20 * reads[0], reads[0])
    assert reads[0] >= 1


def test_a_reset_of_the_counters_within_the_window_is_noticed_trap_4(valkey: RedisServer, client: Client) -> None:
    for _ in range(50):
        client.get("absent")
    before = see(target_of(valkey), window=0.001)
    client.config_resetstat()
    found = traffic(see(target_of(valkey)), before)
    assert (found.hits, found.misses, found.ratio) == (0, 0, None)
    assert "RESETSTAT" in found.unusable[0]


def test_a_restart_within_the_window_is_noticed_trap_4() -> None:
    with start_redis() as server:
        before = see(target_of(server), window=0.001)
        port = server.port
    with start_redis(settings={"port": str(port)}) as server:
        after = see(target_of(server))
    moved = tuple(
        type(one)(**{name: getattr(one, name) for name in one.__struct_fields__} | {"node": before.after[0].node})
        for one in after.before
    )
    after = type(after)(**{name: getattr(after, name) for name in after.__struct_fields__} | {"before": moved})
    assert "started anew" in traffic(after, before).unusable[0]


def test_writes_and_missing_fields_count_as_redis_has_it_trap_6_7(valkey: RedisServer, client: Client) -> None:
    """What the ratio is made of: documented in docs/cache.md, and true of this server."""
    client.set("a", 1, nx=True)
    client.incr("a")
    client.delete("a")
    client.hset("h", "x", 1)
    client.config_resetstat()
    client.set("b", 1)
    client.incr("n")
    client.expire("b", 100)
    assert reads_of(client).hits + reads_of(client).misses == 0
    client.hmget("h", ["absent", "too"])
    client.mget(["b", "absent", "gone"])
    assert (reads_of(client).hits, reads_of(client).misses) == (2, 2)


def test_hashes_of_which_every_field_expires_are_no_leak_trap_23(any_server: RedisServer, any_client: Client) -> None:
    if "hpexpire" not in {name.lower() for name in any_client.command()}:
        pytest.skip("this server's hashes have no fields that expire")
    for number in range(400):
        any_client.hset(f"session:{number}", "field", "x")
        run(any_client, "HPEXPIRE", f"session:{number}", 60_000, "FIELDS", 1, "field")
    any_client.config_resetstat()
    snapshot = see(target_of(any_server))
    sessions = patterns_of(snapshot)["session:*"]
    assert sessions.no_ttl == 400
    assert sessions.expiring_fields == sessions.types_known > 20
    assert "RED002" not in rules_of(report_of(snapshot))
    (after,) = snapshot.after
    assert (after.own_hits, after.own_misses) == (reads_of(any_client).hits, reads_of(any_client).misses)


def test_the_reports_memory_is_reconciled_with_the_servers_trap_19(any_server: RedisServer, any_client: Client) -> None:
    fill(any_client, keys=20_000)
    memory = report_of(see(target_of(any_server))).memory
    assert memory.keyspace_bytes is not None
    assert memory.unaccounted_bytes == memory.keyspace_bytes - memory.measured_bytes
    assert 0 < memory.unaccounted_bytes < 0.5 * memory.keyspace_bytes


def test_a_lopsided_hash_that_samples_miss_is_missing_from_the_sum_and_said_trap_20(
    valkey: RedisServer, client: Client
) -> None:
    client.hset("lopsided", mapping=dict.fromkeys(range(20_000), "x"))
    client.hset("lopsided", "giant", "y" * 20_000_000)
    report = report_of(see(target_of(valkey)))
    assert report.memory.unaccounted_bytes is not None
    assert report.memory.unaccounted_bytes > 15_000_000 or report.memory.measured_bytes > 20_000_000
    assert ("RED010" in rules_of(report)) == (report.memory.measured_bytes < 20_000_000)


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


def test_scans_that_return_more_or_less_than_there_is_are_seen_by_the_counts_trap_11(
    valkey: RedisServer, client: Client
) -> None:
    fill(client, keys=3_000)

    def grow(_: object) -> None:
        client.mset({f"new:{time.monotonic_ns()}:{number}": "x" for number in range(200)})

    harvest = Harvest(Folding(FAMILIES), show_keys=False)
    with Wire(target_of(valkey), connect_timeout=10, answer_timeout=10) as wire:
        ScriptPass(wire, harvest, Pacer(QUICK), ask_fields=False).walk(0, grow)
    seen = {stats.pattern: stats.count for stats in harvest.tally.freeze()}
    assert seen["availability:*"] >= 3_000
    assert harvest.seen == sum(seen.values())


def test_expired_keys_that_linger_on_a_replica_are_not_counted_as_there_trap_26() -> None:
    debug = {"enable-debug-command": "yes"}
    with start_redis(settings=SYNC_AT_ONCE | debug) as primary, client_of(primary) as writer:
        following = {"replicaof": f"{primary.host} {primary.port}", "masterauth": primary.password}
        with start_redis(settings=following) as replica, client_of(replica) as reader:
            until(lambda: reader.info("replication")["master_link_status"] == "up")
            run(writer, "DEBUG", "SET-ACTIVE-EXPIRE", 0)
            writer.set("session:stays", "x", ex=900)
            for number in range(50):
                writer.set(f"lock:{number}", "x", px=300)
            until(lambda: reader.dbsize() == 51)
            time.sleep(0.4)
            snapshot = see(target_of(replica))
    seen = patterns_of(snapshot)
    assert snapshot.coverage.keys_before == 51
    assert seen["session:*"].count == 1
    assert "lock:*" not in seen or (seen["lock:*"].count, seen["lock:*"].no_ttl) == (0, 0)
