"""The PMS's answers through Redis: one refresher, stale answers, negative answers, and counts that are right."""

import asyncio
import math
from dataclasses import replace

import msgspec
import pytest

from app.core.errors import NotFound
from app.core.redis import Family
from app.services.pms_types import PmsUnavailableError
from app.services.read_through import CachePolicy
from tests.integration.app.resilience.ground import (
    BREAKER,
    NIGHTS,
    STALE_AT_ONCE,
    STAY,
    Desk,
    Pms,
    desk,
    running_peer,
    send,
)
from tests.integration.app.resilience.peer import CROWD

OPENS_LONG = replace(BREAKER, open_for=1.0)

pytestmark = pytest.mark.asyncio


def lookups(here: Desk, outcome: str, family: Family = Family.AVAILABILITY) -> float:
    return here.sample("redis_cache_requests_total", family=family.value, outcome=outcome) or 0


def ratio(here: Desk, family: str) -> float | None:
    return here.sample("redis_hit_ratio", family=family)


async def only_key(here: Desk, family: Family) -> bytes:
    (key,) = await send(here.redis, "KEYS", family.pattern)
    assert isinstance(key, bytes)
    return key


async def test_the_second_answer_comes_from_redis_fresh(redis_url: str, pms: Pms) -> None:
    async with desk(redis_url, pms.url) as here:
        first, second = await here.cache.availability(STAY), await here.cache.availability(STAY)
        assert first.value == second.value
        assert not first.stale
        assert not second.stale
        assert pms.requests("availability") == 1
        assert (lookups(here, "miss"), lookups(here, "hit")) == (1, 1)
        assert ratio(here, "availability") == ratio(here, "all") == 0.5


async def test_keys_are_of_their_families_and_expire_a_little_apart(redis_url: str, pms: Pms) -> None:
    async with desk(redis_url, pms.url) as here:
        await here.cache.rates(NIGHTS)
        stays = [replace(STAY, guests=guests) for guests in (1, 2, 3, 4)]
        for stay in stays:
            await here.cache.availability(stay)
        keys = await send(here.redis, "KEYS", "*")
        families = sorted(key.decode().partition(":")[0] for key in keys)
        assert families == [*["availability"] * 4, "circuit_breaker", "pms_cache"]
        left = [await send(here.redis, "PTTL", key) for key in keys if b"avail" in key]
        assert all(100_000 < ttl <= 120_000 for ttl in left)
        assert max(left) - min(left) > 100


async def test_fifty_misses_at_once_ask_the_pms_once(redis_url: str, pms: Pms) -> None:
    pms.dial(delay=0.2)
    async with desk(redis_url, pms.url) as here:
        answers = await asyncio.gather(*(here.cache.availability(STAY) for _ in range(50)))
        assert len({answer.value for answer in answers}) == 1
        assert pms.requests("availability") == 1


async def test_misses_of_two_processes_at_once_ask_the_pms_once(redis_url: str, pms: Pms) -> None:
    with running_peer(redis_url, pms.url) as one, running_peer(redis_url, pms.url) as other:
        pms.dial(delay=0.3)
        answers = await asyncio.gather(one.do("crowd"), other.do("crowd"))
        assert list(answers) == [{"answers": CROWD, "distinct": 1}] * 2
        assert pms.requests("availability") == 1


async def test_a_refresher_that_died_does_not_block_the_others(redis_url: str, pms: Pms) -> None:
    policy = CachePolicy(fresh=60.0, lease=0.3, wait=3.0)
    pms.dial(delay=0.1)
    async with desk(redis_url, pms.url, cache=policy) as here:
        first = asyncio.create_task(here.cache.availability(STAY))
        while not await send(here.redis, "KEYS", Family.LOCK.pattern):
            await asyncio.sleep(0.005)
        lock = await only_key(here, Family.LOCK)
        await first
        await send(here.redis, "DEL", stay_key(here))
        await send(here.redis, "SET", lock, "of one who died", "PX", 300)
        assert not (await here.cache.availability(STAY)).stale
        assert pms.requests("availability") == 2


def stay_key(here: Desk) -> str:
    nights = STAY.nights
    return here.keys.make(Family.AVAILABILITY, "pms", nights.hotel, nights.arrival, nights.departure, STAY.guests)


async def test_while_the_pms_is_down_stale_answers_are_served_and_then_fresh_ones(redis_url: str, pms: Pms) -> None:
    async with desk(redis_url, pms.url, cache=STALE_AT_ONCE, breaker=OPENS_LONG) as here:
        before = await here.cache.availability(STAY)
        await asyncio.sleep(0.01)
        pms.dial(mode="down")
        for _ in range(10):
            answer = await here.cache.availability(STAY)
            assert answer.stale
            assert answer.value == before.value
            assert 0 < answer.age < 60
        assert here.sample("pms_circuit_breaker_state", pms="pms") == 1
        assert pms.requests("availability") == 3  # then the breaker left it alone
        pms.dial()
        await asyncio.sleep(1.15)
        for _ in range(BREAKER.probes):
            assert not (await here.cache.availability(STAY)).stale
            await asyncio.sleep(0.01)  # within a millisecond it is fresh, and the PMS is not asked
        assert here.sample("pms_circuit_breaker_state", pms="pms") == 0


async def test_without_a_stale_answer_the_error_says_when_to_come_back(redis_url: str, pms: Pms) -> None:
    pms.dial(mode="down")
    async with desk(redis_url, pms.url, breaker=OPENS_LONG) as here:
        errors = [await error_of(here) for _ in range(5)]
        assert errors[-1].retry_after is not None
        assert pms.requests("availability") == 3


async def error_of(here: Desk) -> PmsUnavailableError:
    with pytest.raises(PmsUnavailableError) as caught:
        await here.cache.availability(STAY)
    return caught.value


async def test_a_slow_pms_is_not_waited_for_with_a_stale_answer_in_hand(redis_url: str, pms: Pms) -> None:
    async with desk(redis_url, pms.url, cache=STALE_AT_ONCE) as here:
        await here.cache.availability(STAY)
        await asyncio.sleep(0.01)
        pms.dial(delay=2.0)
        begun = asyncio.get_running_loop().time()
        answers = [await here.cache.availability(STAY) for _ in range(5)]
        assert all(answer.stale for answer in answers)
        assert asyncio.get_running_loop().time() - begun < 1.5  # patience once, then another's lease
        assert pms.requests("availability") == 1  # which goes on without its caller


async def test_a_flapping_pms_raises_nothing_once_there_is_an_answer(redis_url: str, pms: Pms) -> None:
    policy = replace(BREAKER, open_for=0.1)
    async with desk(redis_url, pms.url, cache=STALE_AT_ONCE, breaker=policy) as here:
        await here.cache.availability(STAY)
        pms.dial(mode="flapping", period=0.6)
        seen = set()
        end = asyncio.get_running_loop().time() + 1.5
        while asyncio.get_running_loop().time() < end:
            seen.add((await here.cache.availability(STAY)).stale)
            await asyncio.sleep(0.01)
        assert seen == {True, False}
        pms.dial()
        await asyncio.sleep(0.2)
        for _ in range(3):
            last = await here.cache.availability(STAY)
            await asyncio.sleep(0.01)
        assert not last.stale


async def test_that_there_is_no_such_hotel_is_remembered(redis_url: str, pms: Pms) -> None:
    nowhere = replace(STAY, nights=replace(NIGHTS, hotel="no-such-hotel"))
    async with desk(redis_url, pms.url) as here:
        for _ in range(5):
            with pytest.raises(NotFound):
                await here.cache.availability(nowhere)
        assert pms.requests("availability") == 1
        key = await only_key(here, Family.AVAILABILITY)
        assert 0 < await send(here.redis, "PTTL", key) <= 30_000
        assert lookups(here, "hit") == 4


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff\xfe\x00",
        b"{",
        b"null",
        b'{"version": 2, "fresh_ms": 60000, "lifetime_ms": 60000, "body": []}',
        b'{"version": 1, "fresh_ms": 60000, "lifetime_ms": 60000, "body": [{"room_type": 1}]}',
        b'{"version": 1, "fresh_ms": 60000, "lifetime_ms": 60000, "body": "<script>"}',
    ],
)
async def test_a_value_that_cannot_be_read_is_a_miss(redis_url: str, pms: Pms, value: bytes) -> None:
    async with desk(redis_url, pms.url) as here:
        answer = await here.cache.availability(STAY)
        key = await only_key(here, Family.AVAILABILITY)
        await send(here.redis, "SET", key, value, "PX", 60_000)
        assert (await here.cache.availability(STAY)).value == answer.value
        assert pms.requests("availability") == 2
        assert lookups(here, "corrupt") == 1
        assert msgspec.json.decode(await send(here.redis, "GET", key))["version"] == 1


async def test_a_key_of_another_type_costs_the_cache_but_not_the_answer(redis_url: str, pms: Pms) -> None:
    async with desk(redis_url, pms.url) as here:
        await send(here.redis, "RPUSH", stay_key(here), "a list")
        assert not (await here.cache.availability(STAY)).stale


async def test_a_caller_that_is_cancelled_leaves_the_others_their_answer(redis_url: str, pms: Pms) -> None:
    pms.dial(delay=0.3)
    async with desk(redis_url, pms.url) as here:
        tasks = [asyncio.create_task(here.cache.availability(STAY)) for _ in range(10)]
        while not pms.requests("availability"):
            await asyncio.sleep(0.01)
        tasks[0].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert not any(isinstance(result, BaseException) for result in results[1:])
        assert pms.requests("availability") == 1


async def test_the_hit_ratio_has_no_sample_before_the_first_look_and_is_never_nan(redis_url: str, pms: Pms) -> None:
    async with desk(redis_url, pms.url) as here:
        assert ratio(here, "all") is None
        await here.cache.availability(STAY)
        assert ratio(here, "availability") == ratio(here, "all") == 0
        assert ratio(here, "pms_cache") is None
        values = [sample.value for metric in here.registry.collect() for sample in metric.samples]
        assert not any(math.isnan(value) for value in values)
