"""What a server tells of earlier runs: it counts how often keys were looked at, and our own reads are no client's."""

from dbvitals.analyse.hit_ratio import traffic
from dbvitals.analyse.own_reads import last_counters, with_own_reads
from dbvitals.cli.cache_own_reads import last_looks
from dbvitals.sandbox import RedisServer
from dbvitals.settings import Timeouts
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import Counters, KeyspaceSnapshot, Looks
from tests.integration.cache.ground import Client, client_of, cluster, fill, run, see, target_of

TIMEOUTS = Timeouts()


def looks_of(target: RedisTarget) -> Looks:
    (looks,) = last_looks(target, None, TIMEOUTS).values()
    return looks


def look(target: RedisTarget, *known: Counters) -> KeyspaceSnapshot:
    seen = see(target)
    return with_own_reads(seen, known, last_looks(target, None, TIMEOUTS))


def test_the_commands_of_tools_are_counted_and_those_of_clients_are_not(
    any_server: RedisServer, any_client: Client
) -> None:
    any_client.set("a", "b")
    any_client.get("a")
    any_client.pttl("a")
    any_client.exists("a")
    assert looks_of(target_of(any_server)) == Looks(pttl=1)
    run(any_client, "TYPE", "a")
    run(any_client, "OBJECT", "ENCODING", "a")
    run(any_client, "MEMORY", "USAGE", "a")
    run(any_client, "EVAL", "return redis.call('TYPE', KEYS[1])", 1, "a")
    assert looks_of(target_of(any_server)) == Looks(pttl=1, type=2, object=1, memory=1)


def test_the_ratio_is_the_clients_after_three_runs(any_server: RedisServer, any_client: Client) -> None:
    fill(any_client)
    any_client.set("tenant:1", "x")
    any_client.config_resetstat()
    for number in range(1_000):
        any_client.get("tenant:1" if number < 300 else f"absent{number}")
    target = target_of(any_server)
    known: tuple[Counters, ...] = ()
    ratios = []
    for _ in range(3):
        seen = look(target, *known)
        ratios.append(traffic(seen).ratio)
        known = last_counters(seen)
    assert ratios == [0.3, 0.3, 0.3]
    unknown = traffic(look(target))
    assert (unknown.hits, unknown.misses) == (300, 700)
    for _ in range(700):
        run(any_client, "TYPE", "tenant:1")
    assert traffic(look(target, *known)).ratio is None


def test_of_a_cluster_every_node_remembers_its_own() -> None:
    with cluster(3) as servers:
        target = target_of(servers[0])
        for server in servers:
            with client_of(server) as client:
                client.config_resetstat()
        first = look(target)
        second = look(target, *last_counters(first))
        assert len(second.before) == 3
        for old, new in zip(first.after, second.before, strict=True):
            assert (new.node, new.own_hits, new.own_looks) == (old.node, old.own_hits, old.own_looks)
            assert (new.looks, new.hits + new.misses) == (new.own_looks, new.own_hits + new.own_misses)
        assert (traffic(second).ratio, traffic(second).unusable) == (None, ())


def test_a_server_that_is_gone_tells_nothing_and_costs_nothing() -> None:
    assert last_looks(RedisTarget(host="127.0.0.1", port=1), None, TIMEOUTS) == {}
