"""Replicas, Sentinels and clusters: every key once, and the counters of those who answer the clients."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis

from dbvitals.errors import ServerError, UsageError
from dbvitals.sandbox import RedisServer, find_redis, start_redis
from tests.integration.cache.ground import (
    SYNC_AT_ONCE,
    Client,
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
from tests.integration.cache.relay import cut_at


@dataclass
class Pair:
    """A primary and its replica, with one password."""

    primary: RedisServer
    replica: RedisServer


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with start_redis(settings=SYNC_AT_ONCE) as primary:
        settings = {"replicaof": f"{primary.host} {primary.port}", "masterauth": primary.password}
        with start_redis(settings=settings) as replica:
            with client_of(replica) as client:
                client.config_set("requirepass", primary.password)
            replica.password = primary.password
            with client_of(primary) as writer, client_of(replica) as reader:
                fill(writer)
                until(lambda: reader.dbsize() == writer.dbsize())
            yield Pair(primary, replica)


def test_a_replica_gives_the_keys_and_its_primary_the_counters_trap_9(pair: Pair) -> None:
    with client_of(pair.primary) as client:
        client.config_resetstat()
        for _ in range(5):
            client.get("absent")
    snapshot = see(target_of(pair.replica))
    assert [(node.name, node.role) for node in snapshot.nodes] == [
        (target_of(pair.primary).name, "primary"),
        (target_of(pair.replica).name, "replica"),
    ]
    assert [(one.node, one.misses) for one in snapshot.before] == [(target_of(pair.primary).name, 5)]
    assert patterns_of(snapshot)["availability:*"].count == 600
    assert (snapshot.after[0].own_hits, snapshot.after[0].own_misses) == (0, 0)
    assert snapshot.skipped == ()


def test_a_replica_whose_primary_cannot_be_asked_says_so(pair: Pair) -> None:
    with client_of(pair.replica) as client:
        run(client, "ACL", "SETUSER", "local", "on", ">pw", "~*", "+@all")
    snapshot = see(target_of(pair.replica, user="local", password="pw"))
    assert parts_missing(snapshot) == {"counters of the primary"}
    assert patterns_of(snapshot)["session:*"].count == 300


@contextmanager
def sentinel_of(pair: Pair, folder: Path) -> Iterator[RedisServer]:
    """A server is a sentinel when it is called so."""
    binary = find_redis()
    program = folder / "valkey-sentinel"
    shutil.copy(binary.path, program)
    with start_redis(replace(binary, path=program)) as sentinel, client_of(sentinel) as client:
        run(client, "SENTINEL", "MONITOR", "hotel", pair.primary.host, pair.primary.port, 1)
        run(client, "SENTINEL", "SET", "hotel", "auth-pass", pair.primary.password)
        run(client, "ACL", "SETUSER", "default", f">{pair.primary.password}")
        sentinel.password = pair.primary.password
        yield sentinel


def replicas_known(client: Client) -> list[dict[str, str]]:
    answer = run(client, "SENTINEL", "REPLICAS", "hotel")
    return [{key.decode(): value.decode() for key, value in dict(one).items()} for one in answer]


def test_behind_a_sentinel_a_replica_is_read_and_the_primary_counts(pair: Pair, tmp_path: Path) -> None:
    with sentinel_of(pair, tmp_path) as sentinel, client_of(sentinel) as client:
        alone = see(target_of(sentinel))
        until(lambda: any(one.get("master-link-status") == "ok" for one in replicas_known(client)), 120)
        snapshot = see(target_of(sentinel, db=0))
        elsewhere = see(target_of(sentinel, db=1))
        with pytest.raises(UsageError, match="hotel"):
            see(target_of(sentinel), master="motel")
    assert [node.role for node in alone.nodes] == ["primary"]
    assert elsewhere.coverage.keys_seen == 0
    assert [(node.name, node.role) for node in snapshot.nodes] == [
        (target_of(pair.primary).name, "primary"),
        (target_of(pair.replica).name, "replica"),
    ]
    assert [one.node for one in snapshot.before] == [target_of(pair.primary).name]
    assert patterns_of(snapshot)["availability:*"].count == 600


def test_several_primaries_behind_a_sentinel_want_a_name(pair: Pair, tmp_path: Path) -> None:
    with sentinel_of(pair, tmp_path) as sentinel, client_of(sentinel) as client:
        run(client, "SENTINEL", "MONITOR", "motel", pair.primary.host, pair.primary.port, 1)
        with pytest.raises(UsageError, match="hotel, motel"):
            see(target_of(sentinel))
        assert see(target_of(sentinel), master="hotel").coverage.ended == "complete"


def test_a_sentinel_that_may_not_be_asked_is_an_error_of_the_server(pair: Pair, tmp_path: Path) -> None:
    with sentinel_of(pair, tmp_path) as sentinel, client_of(sentinel) as client:
        run(client, "ACL", "SETUSER", "blind", "on", ">pw", "~*", "&*", "+@all", "-sentinel")
        with pytest.raises(ServerError, match=f"{sentinel.port} refuses a command"):
            see(target_of(sentinel, user="blind", password="pw"))
        with cut_at(sentinel, b"MASTERS") as port, pytest.raises(ServerError, match="went away"):
            see(target_of(sentinel, port=port))


KEYS = 3_000


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[RedisServer]]:
    with cluster(3) as servers:
        with redis.RedisCluster(host=servers[0].host, port=servers[0].port, password=servers[0].password) as client:
            for number in range(KEYS):
                client.set(f"session:{number}", "x", ex=900)
            for number in range(300):
                client.set(f"{{hotel{number}}}:availability:{number}", "x" * (20_000 if number < 9 else 1))
                client.get(f"session:{number}")
        yield servers


def test_every_primary_of_a_cluster_is_read_once_and_no_replica_trap_9(nodes: list[RedisServer]) -> None:
    snapshot = see(target_of(nodes[1]))
    assert {name: stats.count for name, stats in patterns_of(snapshot).items()} == {
        "*:availability:*": 300,
        "session:*": KEYS,
    }
    assert {one.node for one in snapshot.before} == {target_of(node).name for node in nodes[:3]}
    assert [node.name for node in see(target_of(nodes[5])).nodes] == [node.name for node in snapshot.nodes]
    assert sum(one.hits for one in snapshot.before) >= 300
    assert (snapshot.coverage.keys_before, snapshot.coverage.topology_changed) == (KEYS + 300, False)
    assert len(patterns_of(snapshot)["*:availability:*"].largest) == 5
    assert patterns_of(snapshot)["*:availability:*"].largest[0].type == "string"


def test_own_reads_are_known_for_each_node_of_a_cluster_trap_9_29(nodes: list[RedisServer]) -> None:
    for node in nodes[:3]:
        with client_of(node) as client:
            client.config_resetstat()
    snapshot = see(target_of(nodes[0]))
    for one in snapshot.after:
        assert (one.hits, one.misses) == (one.own_hits, one.own_misses)


def test_a_cluster_is_sampled_evenly_trap_29(nodes: list[RedisServer]) -> None:
    snapshot = see(target_of(nodes[0]), sample=600)
    counts = {name: stats.count for name, stats in patterns_of(snapshot).items()}
    assert 600 <= snapshot.coverage.keys_seen <= 603
    assert counts["session:*"] > counts["*:availability:*"] > 10


def test_a_cluster_has_one_database_unless_it_says_otherwise(nodes: list[RedisServer]) -> None:
    with pytest.raises(ServerError, match="--db"):
        see(target_of(nodes[0], db=1))


SLOTS = 20


def test_slots_that_move_during_the_pass_are_noticed_trap_10_31(nodes: list[RedisServer]) -> None:
    source, target = nodes[0], nodes[1]
    with client_of(source) as client, client_of(target) as other:
        mine, theirs = run(client, "CLUSTER", "MYID").decode(), run(other, "CLUSTER", "MYID").decode()

        def move(slot: int) -> None:
            run(other, "CLUSTER", "SETSLOT", slot, "IMPORTING", mine)
            run(client, "CLUSTER", "SETSLOT", slot, "MIGRATING", theirs)
            for key in run(client, "CLUSTER", "GETKEYSINSLOT", slot, 1000):
                run(client, "MIGRATE", target.host, target.port, key, 0, 5000, "AUTH", target.password)
            for one in (other, client):
                run(one, "CLUSTER", "SETSLOT", slot, "NODE", theirs)

        def reshard(part: str) -> None:
            if part.startswith("counting"):
                for slot in range(SLOTS):
                    move(slot)

        snapshot = see(target_of(source), tell=reshard, window=0.5)
    assert snapshot.coverage.topology_changed
    assert snapshot.coverage.ended == "complete"
    until(lambda: see(target_of(nodes[4])).coverage.keys_seen == KEYS + 300)
