"""Rate limits: exact in any window, shared by processes, and still there without Redis."""

import asyncio
import time
from contextlib import aclosing

import pytest
from pydantic import SecretStr

from app.core.redis import Family, Keys, RedisClient, RedisSettings
from app.services.rate_limit import Limit, RateLimiter
from tests.integration.app.resilience.ground import send

NO_REDIS = "redis://127.0.0.1:1/0"
LIMIT = Limit(name="messages", amount=10, seconds=1)
LONG = Limit(name="messages", amount=10, seconds=10)
SECRET = SecretStr("a secret")

pytestmark = pytest.mark.asyncio


@pytest.fixture(params=["shared", "local"])
def limit_redis(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("redis_url") if request.param == "shared" else NO_REDIS
    return url


def client(url: str) -> RedisClient:
    return RedisClient(RedisSettings(redis_url=SecretStr(url), redis_timeout=2.0, redis_away_first=5.0))


async def test_a_rush_gets_exactly_the_limit(limit_redis: str) -> None:
    async with aclosing(client(limit_redis)) as redis:
        limiter = RateLimiter(redis, Keys(SECRET))
        verdicts = await asyncio.gather(*(limiter.hit(LONG, "guest") for _ in range(40)))
        assert sum(verdict.allowed for verdict in verdicts) == LONG.amount
        refused = next(verdict for verdict in verdicts if not verdict.allowed)
        assert (refused.limit, refused.remaining) == (LONG.amount, 0)
        assert 0 < refused.reset_after <= LONG.seconds
        assert (await limiter.hit(LONG, "another guest")).remaining == LONG.amount - 1


async def test_a_hit_is_refused_when_the_window_before_it_is_full_and_only_then(limit_redis: str) -> None:
    async with aclosing(client(limit_redis)) as redis:
        limiter = RateLimiter(redis, Keys(SECRET))
        allowed: list[tuple[float, float]] = []
        refused: list[tuple[float, float]] = []
        begun = time.time()
        while time.time() < begun + 2.2:
            asked = time.time()
            verdict = await limiter.hit(LIMIT, "guest")
            (allowed if verdict.allowed else refused).append((asked, time.time()))
            await asyncio.sleep(0.005)
        # The moment that counts lies between asking and the answer.
        for first, last in zip(allowed, allowed[LIMIT.amount :], strict=False):
            assert last[1] - first[0] >= LIMIT.seconds
        for asked, answered in refused:
            within = [hit for hit in allowed if hit[1] >= asked - LIMIT.seconds and hit[0] <= answered]
            assert len(within) >= LIMIT.amount
        assert refused
        assert len(allowed) > LIMIT.amount


async def test_two_limiters_share_one_count(redis_url: str) -> None:
    async with aclosing(client(redis_url)) as one, aclosing(client(redis_url)) as other:
        limiters = RateLimiter(one, Keys(SECRET)), RateLimiter(other, Keys(SECRET))
        verdicts = await asyncio.gather(*(limiters[n % 2].hit(LONG, "guest") for n in range(40)))
        assert sum(verdict.allowed for verdict in verdicts) == LONG.amount


async def test_the_key_is_of_its_family_and_does_not_show_the_guest(redis_url: str) -> None:
    async with aclosing(client(redis_url)) as redis:
        await RateLimiter(redis, Keys(SECRET)).hit(LIMIT, "+442079460000", "<script>\n")
        (key,) = await send(redis, "KEYS", "*")
        assert key.startswith(f"{Family.RATE_LIMIT.value}:messages/".encode())
        assert b"2079460" not in key
        assert b"script" not in key
        assert 0 < await send(redis, "TTL", key) <= LIMIT.seconds


async def test_a_limit_that_is_none_is_refused() -> None:
    for name, amount, seconds in (("A name", 1, 1), ("x", 0, 1), ("x", 1, 0)):
        with pytest.raises(ValueError, match="no limit"):
            Limit(name=name, amount=amount, seconds=seconds)
