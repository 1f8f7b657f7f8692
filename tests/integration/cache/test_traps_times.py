"""Traps of times to live: keys that vanish, times that round, means and fields that mislead."""

import time

import pytest

from dbvitals.collect.keyspace_harvest import Harvest
from dbvitals.collect.redis_pace import Pacer
from dbvitals.collect.redis_pipeline import PipelinePass
from dbvitals.collect.redis_wire import Wire
from dbvitals.sandbox import RedisServer, start_redis
from tests.integration.cache.ground import (
    FOLDING,
    QUICK,
    SYNC_AT_ONCE,
    Client,
    client_of,
    patterns_of,
    reads_of,
    run,
    see,
    target_of,
    until,
)
from tests.integration.cache.reports import report_of, rules_of


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
        assert PipelinePass(wire, harvest, Pacer(QUICK), ask_fields=False).walk(0, lambda keys: None)
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


def test_the_servers_own_average_is_not_taken_trap_15() -> None:
    """A server learns it little by little while it looks for expired keys; this one does not look."""
    with start_redis(settings={"enable-debug-command": "yes"}) as server, client_of(server) as client:
        run(client, "DEBUG", "SET-ACTIVE-EXPIRE", 0)
        for number in range(101):
            client.set(f"tenant:{number}", "x", ex=10_000 + 100 * number)
        average_ms = client.info("keyspace")["db0"]["avg_ttl"]
        ttl = next(one for one in report_of(see(target_of(server))).patterns if one.pattern == "tenant:*").ttl
    assert abs(average_ms / 1000 - 15_000) > 5_000
    assert ttl.avg == pytest.approx(15_000, abs=120)
    assert ttl.p50 == pytest.approx(15_000, rel=0.04)
