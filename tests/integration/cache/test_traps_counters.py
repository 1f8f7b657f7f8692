"""Traps of hits and misses: our own reads, resets, and what a server counts as either."""

from dbvitals.analyse.hit_ratio import traffic
from dbvitals.collect.keyspace_harvest import Harvest
from dbvitals.collect.redis_pace import Pacer
from dbvitals.collect.redis_pass import ScriptPass
from dbvitals.collect.redis_wire import Wire
from dbvitals.sandbox import RedisServer, start_redis
from tests.integration.cache.ground import (
    FOLDING,
    QUICK,
    Client,
    fill,
    reads_of,
    see,
    target_of,
)


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
