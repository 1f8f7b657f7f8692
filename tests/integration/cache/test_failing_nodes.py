"""Nodes that go away, or have nothing to say, in the middle of a pass: the others are read, and it is said."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis

from dbvitals.collect.redis_wire import Wire
from dbvitals.errors import ServerError
from dbvitals.sandbox import RedisServer, start_redis
from dbvitals.sandbox.ports import free_port
from dbvitals.snapshot_keyspace import KeyspaceSnapshot
from tests.integration.cache.ground import (
    SYNC_AT_ONCE,
    Client,
    client_of,
    cluster,
    cluster_info,
    fill,
    parts_missing,
    patterns_of,
    run,
    see,
    target_of,
    until,
)
from tests.integration.cache.mover import KEYS, TOTAL, Mover, own_by_node, watch
from tests.integration.cache.reports import report_of

pytestmark = pytest.mark.usefixtures("every_slice_is_told")

RULES = ("+@scripting", "-@scripting")

FILLED = 1_020
"""Keys that `fill` makes."""


@pytest.fixture
def mover() -> Iterator[Mover]:
    with cluster(3) as servers:
        mover = Mover(servers)
        yield mover
        mover.close()


def once(act: Callable[[], None], first: int = 0, last: int = TOTAL) -> Callable[[str], None]:
    """Act between two slices, when more than `first` keys have been seen and fewer than `last`."""
    done: list[int] = []

    def look(seen: int) -> None:
        if not done and first < seen < last:
            done.append(seen)
            act()

    return watch(look)


def in_the_second(mover: Mover, act: Callable[[], None]) -> Callable[[str], None]:
    """Act while the second of three nodes is being read."""
    first, _, last = mover.primaries
    return once(act, len(mover.keys_of(first)), TOTAL - len(mover.keys_of(last)))


def read_as(client: Client, server: RedisServer, *rules: str, **request: Any) -> KeyspaceSnapshot:
    run(client, "ACL", "SETUSER", "reader", "reset", "on", ">pw", "~*", "&*", "+@all", *rules)
    return see(target_of(server, user="reader", password="pw"), **request)


def test_a_primary_that_is_killed_costs_its_own_keys_only_trap_10(mover: Mover) -> None:
    first, second, last = mover.primaries
    snapshot = see(target_of(mover.servers[first]), tell=in_the_second(mover, lambda: mover.end(second)))
    name = target_of(mover.servers[second]).name
    assert snapshot.coverage.ended == "lost"
    assert parts_missing(snapshot) == {f"rest of the keys of node {name}", f"counters of node {name} at the end"}
    read = {name: stats.count for name, stats in patterns_of(snapshot).items()}
    elsewhere = len(mover.keys_of(first)) + len(mover.keys_of(last))
    assert elsewhere <= sum(read.values()) < TOTAL
    assert all(read[name] <= keys for name, keys in KEYS.items())
    assert [one.node for one in snapshot.after] == [target_of(mover.servers[number]).name for number in (first, last)]
    assert report_of(snapshot).summary.coverage.confidence.startswith("partial")


def test_a_primary_that_is_down_beforehand_is_missed_with_its_keys_trap_9(mover: Mover) -> None:
    first, second, _ = mover.primaries
    there = TOTAL - len(mover.keys_of(second))
    for client in (mover.clients[number] for number in mover.primaries if number != second):
        client.config_set("cluster-require-full-coverage", "no")
    mover.end(mover.replica_of(second))
    mover.end(second)
    snapshot = see(target_of(mover.servers[first]))
    assert (snapshot.coverage.nodes_missing, snapshot.coverage.keys_seen) == (1, there)
    assert f"keys of node {target_of(mover.servers[second]).name}" in parts_missing(snapshot)
    assert report_of(snapshot).summary.coverage.confidence.startswith("partial: a node is missing")


def test_a_replica_that_takes_over_from_one_that_was_killed_is_told_trap_10(mover: Mover) -> None:
    """The first node has been read, and dies; its keys are known."""
    first, _, last = mover.primaries
    heir = mover.replica_of(first)

    def die() -> None:
        mover.end(first)
        mover.inherit(heir, first)

    snapshot = see(target_of(mover.servers[last]), tell=in_the_second(mover, die), window=0.01)
    name = target_of(mover.servers[first]).name
    assert {name: stats.count for name, stats in patterns_of(snapshot).items()} == KEYS
    assert (snapshot.coverage.ended, snapshot.coverage.topology_changed) == ("complete", True)
    assert parts_missing(snapshot) == {f"counters of node {name} at the end", "closer sizes of the largest keys"}
    report = report_of(snapshot)
    assert "failed over" in report.summary.coverage.confidence
    assert any(name in reason for reason in report.summary.window.unusable)
    assert len(own_by_node(snapshot.after)) == 2


def test_keys_that_go_to_a_node_that_has_joined_are_missed_and_told_trap_10(mover: Mover) -> None:
    """It had no slots when the pass began: nobody was connected to it."""
    first, _, last = mover.primaries
    joined, slots = mover.replica_of(last), mover.full_slots(last)[:10]
    tell = in_the_second(mover, lambda: mover.move(slots, joined))
    mover.recruit(joined)
    snapshot = see(target_of(mover.servers[first]), tell=tell)
    assert len(mover.moved) >= 20
    assert sum(stats.count for stats in snapshot.patterns) == TOTAL - len(mover.moved)
    (note,) = snapshot.skipped
    assert f"10 slots went from node to node during the pass: {len(mover.moved)} keys at the most" in note.why


@contextmanager
def down(mover: Mover) -> Iterator[Callable[[], None]]:
    """A cluster without one of its slots serves none at all."""
    slot = next(slot for slot in range(16_384) if slot not in mover.slots)
    owner = mover.clients[mover.owners[slot]]

    def take_down() -> None:
        for number in mover.primaries:
            run(mover.clients[number], "CLUSTER", "DELSLOTS", slot)
        until(lambda: all("cluster_state:fail" in cluster_info(mover.servers[number]) for number in mover.primaries))

    yield take_down
    run(owner, "CLUSTER", "ADDSLOTS", slot)
    for number in mover.primaries:
        if number != mover.owners[slot]:
            run(mover.clients[number], "CLUSTER", "SETSLOT", slot, "NODE", mover.ids[mover.owners[slot]])
    until(lambda: all("cluster_state:ok" in cluster_info(mover.servers[number]) for number in mover.primaries))


def test_a_cluster_that_goes_down_is_no_cluster_without_keys_trap_31(mover: Mover) -> None:
    first, second, last = mover.primaries
    nodes = [f"rest of the keys of node {target_of(mover.servers[number]).name}" for number in (second, last)]
    for rule in RULES:
        for client in mover.clients:
            run(client, "ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@all", rule)
        with down(mover) as take_down:
            snapshot = see(
                target_of(mover.servers[first], user="reader", password="pw"), tell=in_the_second(mover, take_down)
            )
            with pytest.raises(ServerError, match=r"cluster is down.*cluster_state:ok") as caught:
                see(target_of(mover.servers[first], user="reader", password="pw"))
        assert caught.value.exit_code == 3
        assert (snapshot.coverage.ended, snapshot.coverage.topology_changed) == ("lost", True)
        assert parts_missing(snapshot) - {"scripts"} == set(nodes)
        assert sum(stats.gone for stats in snapshot.patterns) == 0
        assert len(mover.keys_of(first)) <= sum(stats.count for stats in snapshot.patterns) < TOTAL
        assert all(stats.ttl_known == stats.count for stats in snapshot.patterns)


@contextmanager
def strict_replica() -> Iterator[tuple[RedisServer, Client]]:
    """A replica that says nothing without its primary."""
    with start_redis(settings=SYNC_AT_ONCE) as primary:
        settings = {
            "replicaof": f"{primary.host} {primary.port}",
            "masterauth": primary.password,
            "replica-serve-stale-data": "no",
        }
        with start_redis(settings=settings) as replica, client_of(primary) as writer, client_of(replica) as client:
            fill(writer)
            until(lambda: not refuses(client, "MasterDown") and client.dbsize() == FILLED)
            yield replica, client


def refuses(client: Client, word: str) -> bool:
    try:
        client.ping()
    except redis.exceptions.RedisError as error:
        return word in f"{type(error).__name__} {error}"
    return False


@pytest.mark.parametrize("rule", RULES, ids=["script", "pipeline"])
def test_a_replica_that_loses_its_primary_tells_what_it_has_told_trap_31(rule: str) -> None:
    with strict_replica() as (replica, client):

        def lose() -> None:
            run(client, "REPLICAOF", replica.host, free_port())
            until(lambda: refuses(client, "MasterDown"))

        snapshot = read_as(client, replica, rule, tell=once(lose, 0, FILLED))
        with pytest.raises(ServerError, match=r"MASTERDOWN.*primary") as caught:
            see(target_of(replica))
    assert caught.value.exit_code == 3
    assert snapshot.coverage.ended == "lost"
    (rest,) = [skipped for skipped in snapshot.skipped if skipped.part == "rest of the keyspace"]
    assert "ask the primary" in rest.mend
    assert 0 < sum(stats.count for stats in snapshot.patterns) < FILLED
    assert snapshot.after


@pytest.mark.parametrize("rule", RULES, ids=["script", "pipeline"])
def test_a_server_that_begins_to_load_tells_what_it_has_told_trap_31(rule: str) -> None:
    slow = {"key-load-delay": "1000", "loading-process-events-interval-bytes": "1024"}
    with start_redis(settings=SYNC_AT_ONCE) as other, start_redis(settings=slow) as server, client_of(server) as client:
        with client_of(other) as writer:
            fill(writer, keys=6_000)
        fill(client)
        client.config_set("masterauth", other.password)

        def load() -> None:
            run(client, "REPLICAOF", other.host, other.port)
            until(lambda: refuses(client, "Loading"))

        snapshot = read_as(client, server, rule, tell=once(load, 0, FILLED))
        with pytest.raises(ServerError, match="loading") as caught:
            see(target_of(server))
        client.config_set("key-load-delay", 0)
    assert caught.value.exit_code == 3
    assert snapshot.coverage.ended == "lost"
    (rest,) = [skipped for skipped in snapshot.skipped if skipped.part == "rest of the keyspace"]
    assert (rest.why[:7], rest.mend) == ("LOADING", "run again when the server has loaded its data")
    assert 0 < sum(stats.count for stats in snapshot.patterns) < FILLED


@pytest.mark.parametrize("rule", RULES, ids=["script", "pipeline"])
def test_ctrl_c_before_an_answer_has_come_leaves_nothing_to_be_mistaken(
    valkey: RedisServer, client: Client, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    """The answer is still on its way when the counters are asked for."""
    fill(client)
    receive = Wire.receive

    def interrupted(wire: Wire, number: int) -> list[Any]:
        monkeypatch.setattr(Wire, "receive", receive)
        raise KeyboardInterrupt

    def wait() -> None:
        monkeypatch.setattr(Wire, "receive", interrupted)

    snapshot = read_as(client, valkey, rule, tell=once(wait, 0, FILLED))
    assert snapshot.coverage.ended == "interrupted"
    assert parts_missing(snapshot) - {"scripts"} == {"interrupted"}
    assert (snapshot.coverage.keys_after, len(snapshot.after)) == (FILLED, 1)
