"""Redis refused, hung, killed and started again: callers get slower answers, no exceptions, and it all comes back."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace

import pytest
import redis
from pydantic import SecretStr

from app.core.redis import RedisClient, RedisSettings, RedisUnavailableError
from app.services.local_breaker import State
from app.services.pms_types import PmsUnavailableError
from app.services.rate_limit import Limit, RateLimiter
from dbvitals.sandbox import RedisServer
from tests.integration.app.resilience.ground import BREAKER, STAY, Desk, KillableRedis, Pms, desk, send

LIMIT = Limit(name="messages", amount=1_000, seconds=60)

pytestmark = pytest.mark.asyncio


@contextmanager
def paused(server: RedisServer) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


async def serve(here: Desk, limiter: RateLimiter, until: asyncio.Event) -> tuple[int, float]:
    """Do what a message does, again and again: how often, and the longest that one took."""
    served, longest = 0, 0.0
    while not until.is_set():
        begun = time.monotonic()
        assert (await limiter.hit(LIMIT, "guest")).allowed
        assert (await here.cache.availability(STAY)).value
        longest = max(longest, time.monotonic() - begun)
        served += 1
        await asyncio.sleep(0.005)
    return served, longest


async def test_killed_under_load_it_is_done_without_and_used_again_when_back(
    killable_redis: KillableRedis, pms: Pms
) -> None:
    async with desk(killable_redis.url, pms.url, redis_timeout=0.5) as here:
        limiter, until = RateLimiter(here.redis, here.keys), asyncio.Event()
        loads = [asyncio.create_task(serve(here, limiter, until)) for _ in range(8)]
        await asyncio.sleep(0.3)
        asked_before = pms.requests("availability")
        killable_redis.kill()
        await asyncio.sleep(0.5)
        away_while_killed = here.redis.away
        killable_redis.start()
        await asyncio.sleep(0.5)
        assert (away_while_killed, here.redis.away) == (True, False)
        until.set()
        results = await asyncio.gather(*loads)
        assert asked_before == 1
        assert all(served > 10 for served, _ in results)
        assert max(longest for _, longest in results) < 2
        asked = pms.requests("availability")
        await here.cache.availability(STAY)
        assert pms.requests("availability") == asked  # from Redis again
        assert here.sample("redis_cache_requests_total", family="availability", outcome="away")


async def test_a_redis_that_hangs_costs_one_time_out_and_then_nothing(redis_server: RedisServer) -> None:
    settings = RedisSettings(redis_url=SecretStr(redis_server.url), redis_timeout=0.2, redis_away_first=1.0)
    async with aclosing(RedisClient(settings)) as client:
        assert await client.ping()
        with paused(redis_server):
            begun = time.monotonic()
            assert await asyncio.gather(*(client.ping() for _ in range(20))) == [False] * 20
            first = time.monotonic() - begun
            begun = time.monotonic()
            for _ in range(100):
                assert not await client.ping()
            assert first < 1.0
            assert time.monotonic() - begun < 0.2


async def test_one_caller_tries_a_server_that_is_away_and_the_others_do_without(redis_server: RedisServer) -> None:
    settings = RedisSettings(redis_url=SecretStr(redis_server.url), redis_timeout=0.2, redis_away_first=0.1)
    async with aclosing(RedisClient(settings)) as client:
        with paused(redis_server):
            await client.ping()
            await asyncio.sleep(0.15)
            tried = 0

            async def command(link: object) -> None:
                nonlocal tried
                tried += 1
                await asyncio.sleep(1)

            await asyncio.gather(*(client.run_or(None, command) for _ in range(20)))
            assert tried == 1
        await asyncio.sleep(0.25)
        assert await client.ping()
        assert not client.away


async def test_callers_cancelled_in_mid_command_leave_no_wrong_answers_and_no_lost_connections(redis_url: str) -> None:
    settings = RedisSettings(redis_url=SecretStr(redis_url), redis_timeout=2.0, redis_max_connections=5)
    async with aclosing(RedisClient(settings)) as client:
        for number in range(20):
            await send(client, "SET", f"session:{number}", number)
        for pause in range(40):
            tasks = [asyncio.create_task(send(client, "GET", f"session:{n}")) for n in range(20)]
            await asyncio.sleep(pause * 0.0001)
            for task in tasks[::2]:
                task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert answers[1::2] == [str(n).encode() for n in range(1, 20, 2)]
        assert await asyncio.gather(*(client.ping() for _ in range(20))) == [True] * 20


async def test_a_refusal_is_no_absence(redis_server: RedisServer, redis_url: str) -> None:
    async with aclosing(RedisClient(RedisSettings(redis_url=SecretStr(redis_url)))) as client:
        await send(client, "RPUSH", "session:x", "a list")
        with pytest.raises(RedisUnavailableError):
            await send(client, "GET", "session:x")
        assert await client.run_or("default", lambda link: link.get("session:x")) == "default"
        assert not client.away
        with redis.Redis.from_url(redis_server.url) as admin:
            admin.config_set("maxmemory", "1")
            try:
                assert await client.run_or("full", lambda link: link.set("session:y", "1")) == "full"
                assert await client.ping()
            finally:
                admin.config_set("maxmemory", "0")


async def test_a_wrong_password_degrades_and_is_not_shown(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    address = redis_server.url.replace(redis_server.password, "wrong-secret")
    async with aclosing(RedisClient(RedisSettings(redis_url=SecretStr(address)))) as client:
        assert not await client.ping()
        assert client.away
        assert "AuthenticationError" in caplog.text
        assert "wrong-secret" not in caplog.text


async def test_without_redis_the_breaker_still_protects_the_pms(pms: Pms) -> None:
    pms.dial(mode="down")
    async with desk("redis://127.0.0.1:1/0", pms.url, breaker=replace(BREAKER, open_for=5.0)) as here:
        for _ in range(10):
            with pytest.raises(PmsUnavailableError):
                await here.cache.availability(STAY)
        assert pms.requests("availability") == BREAKER.failures
        assert here.states[-1] is State.OPEN


async def test_without_redis_callers_of_one_key_share_one_call(pms: Pms) -> None:
    pms.dial(delay=0.2)
    async with desk("redis://127.0.0.1:1/0", pms.url) as here:
        await asyncio.gather(*(here.cache.availability(STAY) for _ in range(50)))
        assert pms.requests("availability") == 1
