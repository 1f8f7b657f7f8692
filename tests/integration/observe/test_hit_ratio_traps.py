"""What makes a hit ratio lie: no reads at all, counters that were reset, a good past, and too little traffic."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import redis
from prometheus_client import generate_latest
from redis.exceptions import ConnectionError as RedisConnectionError

from dbvitals.analyse.hit_ratio import traffic
from dbvitals.sandbox import RedisServer, start_redis
from tests.integration.cache.ground import Client, client_of, see, target_of
from tests.integration.cache.reports import report_of, rules_of
from tests.integration.observe.test_cache import Cache

Work = Callable[[Cache, Client], Awaitable[None]]


def with_cache(server: RedisServer, work: Work) -> Cache:
    """Do something with a client that counts, and a plain one beside it, on an empty server without a past."""
    cache = Cache(server.url)

    async def run(plain: Client) -> None:
        try:
            await work(cache, plain)
        finally:
            await cache.redis.aclose()
            await cache.redis.connection_pool.disconnect()

    with client_of(server) as plain:
        plain.flushall()
        plain.config_resetstat()
        asyncio.run(run(plain))
        plain.flushall()
    return cache


async def read(cache: Cache, key: str, times: int) -> None:
    for _ in range(times):
        await cache.redis.get(key)


def test_trap_51_without_a_read_there_is_no_ratio_rather_than_0(redis_server: RedisServer) -> None:
    async def write(cache: Cache, plain: Client) -> None:
        await cache.redis.set("session:1", "x")

    cache = with_cache(redis_server, write)
    shown = generate_latest(cache.registry).decode()
    assert "# TYPE redis_hit_ratio gauge" in shown
    assert "redis_hit_ratio{" not in shown
    found = report_of(see(target_of(redis_server)))
    assert found.summary.hit_ratio is None
    assert "RED001" not in rules_of(found)


def test_trap_51_the_services_ratio_outlives_resets_and_restarts_of_the_server() -> None:
    async def work(cache: Cache, plain: Client) -> None:
        await cache.redis.set("session:1", "x")
        await read(cache, "session:1", 3)
        plain.config_resetstat()
        await read(cache, "session:none", 1)

    with start_redis() as server:
        cache = with_cache(server, work)
        assert cache.ratio("all") == 0.75
    fresh = Cache(server.url)
    for away in (cache, fresh):
        with pytest.raises(RedisConnectionError):
            asyncio.run(read(away, "session:1", 1))
    assert (fresh.counted(), fresh.ratio("all")) == ({("session", "away"): 1}, None)
    assert cache.ratio("all") == 0.75
    assert cache.counted() == {("session", "hit"): 3, ("session", "miss"): 1, ("session", "away"): 1}


def test_trap_51_a_good_past_hides_a_bad_hour_from_the_ratio_and_not_from_the_counters(
    redis_server: RedisServer,
) -> None:
    """The ratio is of the service's whole life; its counters are shown too, and their difference is of a window."""
    before: dict[tuple[str, str], int] = {}

    async def work(cache: Cache, plain: Client) -> None:
        await cache.redis.set("session:1", "x")
        await read(cache, "session:1", 300)
        before.update(cache.counted())
        plain.flushall()
        await read(cache, "session:1", 60)

    cache = with_cache(redis_server, work)
    assert cache.ratio("all") == 300 / 360
    within = {labels: count - before.get(labels, 0) for labels, count in cache.counted().items()}
    assert within == {("session", "hit"): 0, ("session", "miss"): 60}
    assert "rates of redis_cache_requests_total" in generate_latest(cache.registry).decode()


def test_trap_51_the_servers_ratio_is_of_a_window_where_one_is_asked_for(redis_server: RedisServer) -> None:
    with client_of(redis_server) as client:
        client.flushall()
        client.config_resetstat()
        client.set("session:1", "x", ex=900)
        for _ in range(300):
            client.get("session:1")
        earlier = see(target_of(redis_server), window=0.001)
        for _ in range(150):
            client.get("session:none")
        now = see(target_of(redis_server))
        life, since = report_of(now), traffic(now, earlier)
        client.flushall()
    assert life.summary.hit_ratio is not None
    assert life.summary.hit_ratio > 0.6
    assert (since.hits, since.misses, since.ratio) == (0, 150, 0.0)
    assert "RED001" in rules_of(report_of(now, earlier))


def test_trap_51_few_reads_are_no_alarm_and_many_are(redis_server: RedisServer) -> None:
    def misses(client: redis.Redis, number: int) -> set[str]:
        client.flushall()
        client.config_resetstat()
        for _ in range(number):
            client.get("session:none")
        return set(rules_of(report_of(see(target_of(redis_server)))))

    with client_of(redis_server) as client:
        assert "RED001" not in misses(client, 50)
        assert "RED001" in misses(client, 500)
        client.config_resetstat()
        found = report_of(see(target_of(redis_server)))
    assert "RED001" not in rules_of(found)
