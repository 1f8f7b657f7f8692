"""Leases over Redis: one holder at a time while Redis stands, and no say for whoever lost theirs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from pydantic import SecretStr

from app.core.redis import Keys, RedisClient, RedisSettings, RedisUnavailableError
from app.services.redis_lease import EfficiencyLease, EfficiencyLeases
from dbvitals.sandbox import RedisServer

pytestmark = pytest.mark.asyncio

OURS, THEIRS = UUID(int=1), UUID(int=2)
LONG = timedelta(seconds=30)


@pytest_asyncio.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[RedisClient]:
    client = RedisClient(RedisSettings(redis_url=SecretStr(redis_server.url)))
    await client.run(lambda redis: redis.flushdb())
    yield client
    await client.aclose()


@pytest.fixture
def leases(redis: RedisClient) -> EfficiencyLeases:
    return EfficiencyLeases(redis, Keys(SecretStr("pepper")))


async def take(leases: EfficiencyLeases, ttl: timedelta = LONG) -> EfficiencyLease:
    lease = await leases.acquire(OURS, "refill rates", ttl)
    assert lease is not None
    return lease


async def test_one_of_many_gets_it(leases: EfficiencyLeases) -> None:
    got = await asyncio.gather(*(leases.acquire(OURS, "refill rates", LONG) for _ in range(16)))
    assert len([lease for lease in got if lease is not None]) == 1


async def test_tenants_and_works_are_apart(leases: EfficiencyLeases) -> None:
    await take(leases)
    assert await leases.acquire(THEIRS, "refill rates", LONG) is not None
    assert await leases.acquire(OURS, "refill\nrates", LONG) is not None
    assert await leases.acquire(OURS, "refill rates", LONG) is None


async def test_it_ends_by_itself(leases: EfficiencyLeases) -> None:
    first = await take(leases, timedelta(milliseconds=50))
    await asyncio.sleep(0.1)
    await take(leases)
    assert await leases.release(first) is False
    assert await leases.extend(first, LONG) is False
    assert await leases.acquire(OURS, "refill rates", LONG) is None


async def test_it_lasts_longer_when_extended(leases: EfficiencyLeases, redis: RedisClient) -> None:
    lease = await take(leases, timedelta(milliseconds=200))
    assert await leases.extend(lease, LONG) is True
    left = await redis.run(lambda redis: redis.pttl(lease.key))
    assert 29_000 < left <= 30_000


async def test_strangers_neither_release_nor_extend(leases: EfficiencyLeases) -> None:
    lease = await take(leases)
    stranger = replace(lease, secret="another")
    assert await leases.release(stranger) is False
    assert await leases.extend(stranger, LONG) is False
    assert await leases.release(lease) is True
    assert await leases.release(lease) is False
    await take(leases)


async def test_every_key_is_in_the_family_and_ends(leases: EfficiencyLeases, redis: RedisClient) -> None:
    lease = await take(leases)
    assert lease.key.startswith(f"lock:{OURS}:")
    assert await redis.run(lambda redis: redis.pttl(lease.key)) > 0


async def test_a_command_that_is_sent_twice_gives_the_lease(leases: EfficiencyLeases) -> None:
    lease = await take(leases)
    assert await leases._run(leases._acquire, lease, 30_000) is True


async def test_a_lease_lasts_for_a_millisecond_at_least(leases: EfficiencyLeases) -> None:
    with pytest.raises(ValueError, match="must last"):
        await leases.acquire(OURS, "refill rates", timedelta(microseconds=999))


async def test_without_redis_the_caller_is_told() -> None:
    client = RedisClient(RedisSettings(redis_host="127.0.0.1", redis_port=1, redis_url=None))
    with pytest.raises(RedisUnavailableError):
        await EfficiencyLeases(client, Keys(SecretStr("pepper"))).acquire(OURS, "refill rates", LONG)
    await client.aclose()
