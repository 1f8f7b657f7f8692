"""Hits and misses by family, counted by a client of a real server, with answers as without."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from dbvitals.observe.cache import AT_ONCE, CacheCounters, HitRatio, ObservedRedis, Outcome, by_first_part
from dbvitals.sandbox import RedisServer
from dbvitals.sandbox.ports import LOOPBACK, free_port

FAMILIES = ("session", "lock")


class Cache:
    """A client that counts, and what it has counted."""

    def __init__(self, url: str) -> None:
        self.registry = CollectorRegistry()
        self.counters = CacheCounters(self.registry)
        self.registry.register(HitRatio(self.counters.requests))
        plain = Redis.from_url(url)
        self.redis = ObservedRedis(self.counters, by_first_part(FAMILIES), connection_pool=plain.connection_pool)

    def counted(self) -> dict[tuple[str, str], int]:
        return {
            (sample.labels["family"], sample.labels["outcome"]): int(sample.value)
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == "redis_cache_requests_total"
        }

    def ratio(self, family: str) -> float | None:
        return self.registry.get_sample_value("redis_hit_ratio", {"family": family})


def on(server: RedisServer, work: Callable[[Cache], Awaitable[None]]) -> Cache:
    """Do something with an empty server."""
    cache = Cache(server.url)

    async def run() -> None:
        await cache.redis.flushall()
        try:
            await work(cache)
        finally:
            await cache.redis.flushall()
            await cache.redis.aclose()
            await cache.redis.connection_pool.disconnect()

    asyncio.run(run())
    return cache


def test_reads_are_counted_by_family(redis_server: RedisServer) -> None:
    async def work(cache: Cache) -> None:
        redis = cache.redis
        await redis.set("session:1", "x")
        assert await redis.get("session:1") == b"x"
        assert await redis.get("session:2") is None
        assert await redis.get(b"session:\xff\n") is None
        assert await redis.exists("lock:1") == 0
        assert await redis.mget("session:1", "lock:1", "other:1") == [b"x", None, None]

    cache = on(redis_server, work)
    assert cache.counted() == {("session", "hit"): 2, ("session", "miss"): 2, ("lock", "miss"): 2}
    assert (cache.ratio("session"), cache.ratio("lock"), cache.ratio("all")) == (0.5, 0.0, 2 / 6)


def test_collections_and_fields_count_by_what_they_give(redis_server: RedisServer) -> None:
    async def work(cache: Cache) -> None:
        redis = cache.redis
        await redis.hset("session:h", "f", "1")
        for found in (redis.hget("session:h", "f"), redis.hgetall("session:h"), redis.hmget("session:h", ["f", "g"])):
            assert await found
        assert await redis.hget("session:h", "g") is None
        assert await redis.hmget("session:h", ["g", "i"]) == [None, None]
        assert await redis.hgetall("session:none") == {}
        assert await redis.lrange("session:none", 0, -1) == []

    assert on(redis_server, work).counted() == {("session", "hit"): 3, ("session", "miss"): 4}


def test_writes_and_other_families_are_not_counted(redis_server: RedisServer) -> None:
    async def work(cache: Cache) -> None:
        redis = cache.redis
        await redis.set("session:1", 1, nx=True)
        await redis.incr("session:1")
        await redis.expire("session:1", 5)
        await redis.delete("session:1")
        await redis.get("other:1")
        await redis.get("sessions:1")
        await redis.get("SESSION:1")
        await redis.get("")
        assert await redis.ping()

    assert on(redis_server, work).counted() == {}


@pytest.mark.parametrize("transaction", [True, False])
def test_reads_in_a_pipeline_are_counted(redis_server: RedisServer, transaction: bool) -> None:
    async def work(cache: Cache) -> None:
        async with cache.redis.pipeline(transaction=transaction) as pipe:
            pipe.set("session:1", "x")
            pipe.get("session:1")
            pipe.get("session:2")
            pipe.mget("lock:1", "session:1")
            assert await pipe.execute() == [True, b"x", None, [None, b"x"]]

    counted = on(redis_server, work).counted()
    assert counted == {("session", "hit"): 2, ("session", "miss"): 1, ("lock", "miss"): 1}


def test_an_error_is_neither_hit_nor_miss(redis_server: RedisServer) -> None:
    async def work(cache: Cache) -> None:
        await cache.redis.rpush("session:list", 1)
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await cache.redis.get("session:list")
        async with cache.redis.pipeline(transaction=False) as pipe:
            pipe.get("session:list")
            pipe.get("session:none")
            answers = await pipe.execute(raise_on_error=False)
        assert isinstance(answers[0], ResponseError)

    assert on(redis_server, work).counted() == {("session", "miss"): 1}


def test_a_cache_that_is_away_was_not_asked() -> None:
    async def run() -> Cache:
        cache = Cache(f"redis://{LOOPBACK}:{free_port()}/0")
        with pytest.raises(RedisConnectionError):
            await cache.redis.get("session:1")
        async with cache.redis.pipeline() as pipe:
            pipe.mget("session:1", "lock:1")
            pipe.set("session:2", 1)
            with pytest.raises(RedisConnectionError):
                await pipe.execute()
        await cache.redis.aclose()
        return cache

    cache = asyncio.run(run())
    assert cache.counted() == {("session", "away"): 2, ("lock", "away"): 1}
    assert cache.ratio("all") is None


def test_reads_that_are_not_counted_yet_are_when_somebody_looks(redis_server: RedisServer) -> None:
    """Also from another thread, as the metrics are served, and with clients that are gone by then."""
    reads, seen = 7 * AT_ONCE // 2, []

    async def work(cache: Cache) -> None:
        for _ in range(reads):
            await cache.redis.get("session:none")
        await cache.redis.mget(["lock:none"] * (AT_ONCE // 2))
        cache.redis = ObservedRedis(
            cache.counters, by_first_part(FAMILIES), connection_pool=cache.redis.connection_pool
        )
        seen.append(await asyncio.to_thread(cache.counted))

    cache = on(redis_server, work)
    assert seen == [{("session", "miss"): reads, ("lock", "miss"): AT_ONCE // 2}]
    assert cache.counted() == seen[0]


def test_no_read_is_counted_twice_or_never_while_others_look() -> None:
    counters = CacheCounters(CollectorRegistry())
    family_of = by_first_part(FAMILIES)
    noted = 20_000

    def note() -> None:
        for _ in range(noted):
            counters.noted.append((family_of, "session:1", Outcome.HIT))

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(note) for _ in range(2)]
        while not all(writer.done() for writer in writers):
            list(counters.requests.collect())
        list(pool.map(lambda _: list(counters.requests.collect()), range(2)))
    (metric,) = counters.requests.collect()
    assert [sample.value for sample in metric.samples if sample.name.endswith("_total")] == [2 * noted]


def test_a_cancelled_read_is_neither_found_nor_away(redis_server: RedisServer) -> None:
    async def work(cache: Cache) -> None:
        waiting = asyncio.ensure_future(cache.redis.blpop("session:never", timeout=60))
        reading = asyncio.ensure_future(cache.redis.get("session:1"))
        await asyncio.sleep(0)
        for task in (waiting, reading):
            task.cancel()
        await asyncio.gather(waiting, reading, return_exceptions=True)
        assert reading.cancelled()

    assert on(redis_server, work).counted() == {}


def test_keys_that_are_no_names_are_sent_as_without(redis_server: RedisServer) -> None:
    async def work(cache: Cache) -> None:
        assert await cache.redis.get(memoryview(b"session:1")) is None
        assert await cache.redis.mget([memoryview(b"session:1"), "session:2"]) == [None, None]

    assert on(redis_server, work).counted() == {("session", "miss"): 1}


def test_what_a_service_counts_itself_goes_into_the_same_ratio() -> None:
    registry = CollectorRegistry()
    counters = CacheCounters(registry)
    registry.register(HitRatio(counters.requests))
    for outcome in (Outcome.HIT, Outcome.STALE, Outcome.MISS, Outcome.CORRUPT, Outcome.AWAY):
        counters.count("pms_cache", outcome)
    assert registry.get_sample_value("redis_hit_ratio", {"family": "pms_cache"}) == 0.5


COUNTING = """
import sys
from prometheus_client import CollectorRegistry
from dbvitals.observe.cache import AT_ONCE, CacheCounters, Outcome
counters = CacheCounters(CollectorRegistry())
for outcome in sys.argv[1:]:
    counters.count("session", Outcome(outcome))
"""
READING = """
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
from dbvitals.observe.cache import HitRatio
registry = CollectorRegistry()
registry.register(HitRatio(MultiProcessCollector(CollectorRegistry())))
print(registry.get_sample_value("redis_hit_ratio", {"family": "all"}))
"""


def test_the_ratio_of_several_processes_is_of_their_counts_together(tmp_path: Path) -> None:
    def run(code: str, *arguments: str) -> str:
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    run(COUNTING, "hit")
    run(COUNTING, "miss", "miss", "miss")
    assert float(run(READING)) == 0.25
