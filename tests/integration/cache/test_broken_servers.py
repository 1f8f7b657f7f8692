"""Servers that are not well: they cannot save, are full, or have lost the others. They are read all the same."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from dbvitals.model import Finding, Severity
from dbvitals.sandbox import RedisServer, start_redis
from dbvitals.sandbox.ports import free_port
from dbvitals.snapshot_keyspace import KeyspaceSnapshot
from tests.integration.cache.ground import (
    KINDS,
    SYNC_AT_ONCE,
    Client,
    binary_of,
    client_of,
    cluster,
    fill,
    parts_missing,
    patterns_of,
    run,
    see,
    target_of,
    until,
)
from tests.integration.cache.reports import report_of
from tests.integration.keymiss.hearing import listen_while

FILLED = 1_020
"""Keys that `fill` makes."""


def found(rule: str, snapshot: KeyspaceSnapshot) -> list[Finding]:
    return [finding for finding in report_of(snapshot).findings if finding.rule == rule]


def line_of(finding: Finding) -> str:
    assert finding.action is not None
    return finding.action.statement


@contextmanager
def unable_to_save(kind: str) -> Iterator[tuple[RedisServer, Client]]:
    """A server whose folder is gone, and which has tried."""
    with start_redis(binary_of(kind)) as server, client_of(server) as client:
        fill(client)
        client.config_set("save", "3600 1")
        folder = Path(str(client.config_get("dir")["dir"]))
        shutil.rmtree(folder)
        client.bgsave()
        until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
        yield server, client
        client.config_set("save", "")  # it would not end before it has saved


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_cannot_save_is_read_and_its_refusal_of_writes_is_told(kind: str) -> None:
    with unable_to_save(kind) as (server, client):
        with pytest.raises(redis.exceptions.ResponseError, match="MISCONF"):
            client.set("a", "b")
        snapshot = see(target_of(server))
        client.config_set("stop-writes-on-bgsave-error", "no")
        going_on = see(target_of(server))
    assert (snapshot.coverage.ended, snapshot.coverage.keys_seen, snapshot.skipped) == ("complete", FILLED, ())
    for seen, refused in ((snapshot, True), (going_on, False)):
        (finding,) = found("RED024", seen)
        assert (finding.severity is Severity.CRITICAL) == finding.message.startswith("writes are refused") == refused
        assert seen.nodes[0].writes_refused == refused


def test_misses_are_heard_of_a_server_that_cannot_save() -> None:
    with unable_to_save("valkey-9.1") as (server, client):
        window = listen_while([target_of(server)], client, lambda: client.get("session:absent"))
    assert [(one.pattern, one.misses) for one in window.lookups] == [("session:*", 1)]
    assert window.skipped == ()


def test_a_login_that_may_not_ping_is_told_by_the_settings() -> None:
    with unable_to_save("valkey-9.1") as (server, client):
        run(client, "ACL", "SETUSER", "reader", "on", ">pw", "~*", "&*", "+@all", "-ping")
        snapshot = see(target_of(server, user="reader", password="pw"))
    assert snapshot.coverage.keys_seen == FILLED
    assert not snapshot.nodes[0].writes_refused
    assert found("RED024", snapshot)[0].severity is Severity.CRITICAL


@pytest.mark.parametrize("kind", KINDS)
def test_writes_that_are_refused_for_want_of_memory_are_an_outage(kind: str) -> None:
    with start_redis(binary_of(kind)) as server, client_of(server) as client:
        fill(client)
        client.set("tenant:1", "x" * 8_000_000)
        client.config_set("maxmemory", "5mb")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.set("tenant:2", "x")
        snapshot = see(target_of(server))
        (finding,) = found("RED008", snapshot)
        assert finding.severity is Severity.CRITICAL
        assert finding.message.startswith("writes are refused")
        assert snapshot.nodes[0].oom_errors == 1
        run(client, *line_of(finding).split())
        client.set("tenant:2", "x")


def test_the_lines_for_a_full_queue_delete_no_job() -> None:
    with start_redis(settings={"maxmemory": "8mb"}) as server, client_of(server) as client:
        for number in range(70):
            client.hset(f"rq:job:{number:08}-0000-4000-8000-000000000000", "data", "x" * 90_000)
        client.rpush("rq:queue:mail", *range(500))
        client.xadd("rq:events", {"job": "1"})
        findings = report_of(see(target_of(server))).findings
        for line in {finding.action.statement for finding in findings if finding.action}:
            if line.startswith("CONFIG SET"):
                run(client, *line.split())
        for number in range(4_000):
            client.hset(f"rq:job:{number}", "data", "x" * 2_000)
        assert {finding.rule for finding in findings} >= {"RED008"}
        assert (client.info("stats")["evicted_keys"], client.llen("rq:queue:mail")) == (0, 500)
        assert client.exists("rq:events")


@contextmanager
def pair(kind: str = "valkey-9.1", **settings: str) -> Iterator[tuple[RedisServer, RedisServer]]:
    """A primary with keys, and a replica that has not been told of it, with one password."""
    binary = binary_of(kind)
    with start_redis(binary, settings=SYNC_AT_ONCE | settings) as primary, start_redis(binary) as replica:
        with client_of(primary) as writer, client_of(replica) as client:
            fill(writer)
            client.config_set("requirepass", primary.password)
        replica.password = primary.password
        yield primary, replica


def follow(replica: RedisServer, primary: RedisServer, password: str) -> None:
    with client_of(replica) as client:
        client.config_set("masterauth", password)
        run(client, "REPLICAOF", primary.host, primary.port)


def has_link(client: Client) -> bool:
    return bool(client.info("replication").get("master_link_status") == "up")


@pytest.mark.parametrize("kind", KINDS)
def test_a_replica_that_lost_its_primary_says_so(kind: str) -> None:
    with pair(kind) as (primary, replica), client_of(replica) as client:
        follow(replica, primary, primary.password)
        until(lambda: has_link(client))
        assert not found("RED017", see(target_of(replica)))
        primary.stop()
        until(lambda: not has_link(client))
        snapshot = see(target_of(replica))
    (finding,) = found("RED017", snapshot)
    assert (finding.severity, finding.subject.name) == (Severity.HIGH, target_of(replica).name)
    assert "its link to its primary has been down" in finding.message
    assert patterns_of(snapshot)["availability:*"].count == 600


@pytest.mark.parametrize("kind", KINDS)
def test_a_replica_without_a_first_copy_is_not_taken_for_its_primary(kind: str) -> None:
    with pair(kind) as (primary, replica):
        with client_of(replica) as client:
            client.set("session:of another time", "x")
        follow(replica, primary, "wrong")
        snapshot = see(target_of(replica))
    names = [target_of(server).name for server in (primary, replica)]
    assert [node.name for node in snapshot.nodes] == names
    assert snapshot.coverage.keys_seen == FILLED
    assert parts_missing(snapshot) == {f"keys of replica {names[1]}"}
    assert [finding.subject.name for finding in found("RED017", snapshot)] == [names[1]]
    memory = report_of(snapshot).memory
    assert memory.keyspace_bytes == snapshot.nodes[0].keyspace_bytes


def test_a_replica_that_never_reached_its_primary_is_not_trusted_alone() -> None:
    with start_redis() as replica, client_of(replica) as client:
        run(client, "REPLICAOF", replica.host, free_port())
        snapshot = see(target_of(replica))
    name = target_of(replica).name
    assert parts_missing(snapshot) == {"counters of the primary", f"keys of replica {name}"}
    assert "not what its primary has" in {one.part: one.why for one in snapshot.skipped}[f"keys of replica {name}"]


def test_a_frozen_replica_is_known_to_its_primary() -> None:
    with pair() as (primary, replica), client_of(primary) as client, client_of(replica) as reader:
        follow(replica, primary, primary.password)
        until(lambda: has_link(reader))
        process = int(reader.info("server")["process_id"])
        os.kill(process, signal.SIGSTOP)
        try:
            until(lambda: int(client.info("replication")["slave0"]["lag"]) >= 10)
            snapshot = see(target_of(primary))
        finally:
            os.kill(process, signal.SIGCONT)
    (finding,) = found("RED017", snapshot)
    assert f"replica {target_of(replica).name} has acknowledged nothing for" in finding.message


def test_a_replica_that_is_being_built_is_no_fault() -> None:
    """It waits for others that may come, before the copy is made."""
    waiting = {"repl-diskless-sync-delay": "600"}
    with start_redis(settings=waiting) as primary, start_redis() as replica, client_of(primary) as client:
        follow(replica, primary, primary.password)
        until(lambda: "slave0" in client.info("replication"))
        for number in range(30):
            client.set("tenant:1", "x" * 1_000_000 + str(number))
        known = client.info("replication")
        snapshot = see(target_of(primary))
    assert known["slave0"]["state"] == "wait_bgsave"
    assert known["master_repl_offset"] - known["slave0"]["offset"] > 20_000_000
    assert not found("RED017", snapshot)


def test_expired_keys_that_nobody_removed_are_counted_trap_26() -> None:
    debugging = {"enable-debug-command": "yes"}
    with pair(**debugging) as (primary, replica), client_of(primary) as writer, client_of(replica) as reader:
        follow(replica, primary, primary.password)
        run(writer, "DEBUG", "SET-ACTIVE-EXPIRE", 0)
        pipeline = writer.pipeline(transaction=False)
        for number in range(3_000):
            pipeline.set(f"lock:{number}", "x", px=1)
        pipeline.execute()
        until(lambda: reader.dbsize() == writer.dbsize() == FILLED + 3_000)
        for server in (replica, primary):
            snapshot = see(target_of(server))
            assert "3,000 of 4,020 keys" in found("RED016", snapshot)[0].message
        assert not found("RED016", see(target_of(primary)))


def test_evictions_are_told_of_the_node_that_evicts_trap_9() -> None:
    with cluster(3) as servers:
        last = servers[2]
        with client_of(last) as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("repl-backlog-size", "16kb")
            client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + 4_000_000)
            for tag in tags_of(client):
                client.set(f"availability:{{{tag}}}", "x" * 100_000)
        snapshot = see(target_of(servers[0]))
    (finding,) = found("RED003", snapshot)
    assert finding.subject.name == target_of(last).name
    assert {one.subject.name for one in found("RED019", snapshot)} == {target_of(one).name for one in servers[:2]}


def tags_of(client: Client) -> list[int]:
    """Names whose keys lie on the last of three nodes."""
    slots = ((tag, run(client, "CLUSTER", "KEYSLOT", tag)) for tag in range(400))
    return [tag for tag, slot in slots if slot >= 16384 * 2 // 3]
