"""Idle times and TTLs of sampled keys, and the estimate that is made of them, on a server with keys of known age."""

from collections.abc import Iterator
from random import Random

import pytest
from redis import Redis

from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.never_read import never_read
from dbvitals.collect.key_ages import sample_ages
from dbvitals.collect.redis_wire import Wire
from dbvitals.expect import KeyFamily
from dbvitals.sandbox import RedisServer
from dbvitals.settings_redis import RedisTarget

FOLDING = Folding([KeyFamily(pattern="pms_cache:*", description="")])
TTL = 3600
UNREAD, READ = 300, 200


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Redis]:
    with Redis.from_url(redis_server.url) as link:
        link.flushall()
        yield link
        link.config_set("maxmemory-policy", "noeviction")
        link.flushall()


@pytest.fixture
def wire(redis_server: RedisServer) -> Iterator[Wire]:
    target = RedisTarget(host=redis_server.host, port=redis_server.port, password=redis_server.password)
    with Wire(target, connect_timeout=10, answer_timeout=10) as connection:
        yield connection


def restore_aged(client: Redis, name: str, *, age: int, idle: int) -> None:
    """Write a key as if that many seconds ago, and last used `idle` seconds ago."""
    client.set("model", "x" * 100)
    payload = client.dump("model")
    client.delete("model")
    assert payload is not None
    client.restore(name, (TTL - age) * 1000, payload, idletime=idle)


def test_keys_that_nobody_has_read_are_found(client: Redis, wire: Wire) -> None:
    random = Random(5)
    for number in range(UNREAD):
        age = random.randrange(20, TTL - 60)
        restore_aged(client, f"pms_cache:unread:{number}", age=age, idle=age)
    for number in range(READ):
        age = random.randrange(40, TTL - 60)
        restore_aged(client, f"pms_cache:read:{number}", age=age, idle=random.randrange(age - 20))
    client.set("setting", 1)
    # A random sample may meet a key twice: so many looks that the shares are right within a few points.
    (found,) = never_read(sample_ages(wire, FOLDING, keys=3000, random=random).ages)
    assert found.pattern == "pms_cache:*"
    assert found.never_read / found.judged == pytest.approx(UNREAD / (UNREAD + READ), abs=0.08)


def test_looking_leaves_no_mark_but_the_hits_it_owns_up_to(client: Redis, wire: Wire) -> None:
    for number in range(50):
        restore_aged(client, f"pms_cache:{number}", age=500, idle=400)
    before = client.info("stats")
    ages = sample_ages(wire, FOLDING, keys=200, random=Random(1))
    after = client.info("stats")
    assert after["keyspace_hits"] - before["keyspace_hits"] == ages.own_hits
    assert after["keyspace_misses"] - before["keyspace_misses"] == ages.own_misses
    assert min(age.idle for age in ages.ages) >= 400
    assert client.object("idletime", "pms_cache:1") >= 400


def test_a_server_without_idle_times_says_so(client: Redis, wire: Wire) -> None:
    client.set("pms_cache:1", 1, ex=100)
    client.config_set("maxmemory-policy", "allkeys-lfu")
    found = sample_ages(wire, FOLDING, keys=100, random=Random(1))
    assert found.ages == []
    assert [skipped.why for skipped in found.skipped] == ["under an LFU policy the server keeps no idle times"]


def test_an_empty_server_has_nothing_to_say(client: Redis, wire: Wire) -> None:
    assert client.dbsize() == 0
    found = sample_ages(wire, FOLDING, keys=100, random=Random(1))
    assert (found.ages, found.own_hits, found.skipped) == ([], 0, [])
