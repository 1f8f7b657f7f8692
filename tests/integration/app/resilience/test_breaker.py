"""The circuit breaker, shared through Redis and local: the same behaviours from both."""

import asyncio

import pytest

from app.core.redis import Family
from app.services.circuit_breaker import BreakerOpenError
from app.services.local_breaker import BreakerPolicy, State
from app.services.pms_types import PmsFailedError
from tests.integration.app.resilience.ground import BREAKER, HALF_OPEN_AFTER, Desk, Pms, desk, running_peer, send

NO_REDIS = "redis://127.0.0.1:1/0"
NO_PMS = "http://127.0.0.1:1"

pytestmark = pytest.mark.asyncio


@pytest.fixture(params=["shared", "local"])
def breaker_redis(request: pytest.FixtureRequest) -> str:
    """A Redis that is there, and one that is not: the breaker is then the process's own."""
    url: str = request.getfixturevalue("redis_url") if request.param == "shared" else NO_REDIS
    return url


def last(here: Desk) -> State:
    return here.states[-1]


async def fail(here: Desk) -> None:
    with pytest.raises(PmsFailedError):
        async with here.breaker.guard():
            raise PmsFailedError("no answer", "failed")


async def succeed(here: Desk) -> None:
    async with here.breaker.guard():
        pass


async def open_breaker(here: Desk) -> None:
    for _ in range(BREAKER.failures):
        await fail(here)
    with pytest.raises(BreakerOpenError):
        await succeed(here)


async def hold(here: Desk, entered: list[int], until: asyncio.Event) -> None:
    async with here.breaker.guard():
        entered.append(1)
        await until.wait()


async def rush(here: Desk, callers: int) -> tuple[int, int]:
    """So many callers at once, that stay inside until the last has asked: how many got in, and were refused."""
    entered: list[int] = []
    until = asyncio.Event()
    tasks = [asyncio.create_task(hold(here, entered, until)) for _ in range(callers)]
    while len(entered) + sum(task.done() for task in tasks) < callers:
        await asyncio.sleep(0.005)
    until.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return len(entered), sum(isinstance(result, BreakerOpenError) for result in results)


async def cancel_inside(here: Desk) -> None:
    entered: list[int] = []
    task = asyncio.create_task(hold(here, entered, asyncio.Event()))
    while not entered:
        await asyncio.sleep(0.002)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_opens_at_the_threshold_and_says_when_to_come_back(breaker_redis: str) -> None:
    async with desk(breaker_redis, NO_PMS) as here:
        await fail(here)
        await fail(here)
        await succeed(here)
        await fail(here)
        with pytest.raises(BreakerOpenError) as refusal:
            await succeed(here)
        assert 0 < refusal.value.retry_after <= BREAKER.open_for * (1 + BREAKER.jitter)
        assert last(here) is State.OPEN
        assert here.sample("pms_circuit_breaker_state", pms="pms") == 1


async def test_a_few_failures_among_many_calls_do_not_open_it(breaker_redis: str) -> None:
    async with desk(breaker_redis, NO_PMS) as here:
        for _ in range(BREAKER.failures):
            await succeed(here)
            await succeed(here)
            await fail(here)
        await succeed(here)
        assert set(here.states) == {State.CLOSED}


async def test_failures_before_the_window_are_forgotten(breaker_redis: str) -> None:
    policy = BreakerPolicy(failures=3, window=0.5, open_for=5.0)
    async with desk(breaker_redis, NO_PMS, breaker=policy) as here:
        await fail(here)
        await fail(here)
        await asyncio.sleep(0.6)
        await fail(here)
        await succeed(here)
        assert set(here.states) == {State.CLOSED}


@pytest.mark.parametrize("probes", [1, 3])
async def test_half_open_lets_exactly_so_many_probes_through(breaker_redis: str, probes: int) -> None:
    policy = BreakerPolicy(failures=3, open_for=0.1, jitter=0.0, probes=probes)
    async with desk(breaker_redis, NO_PMS, breaker=policy) as here:
        await open_breaker(here)
        await asyncio.sleep(0.15)
        assert await rush(here, 20) == (probes, 20 - probes)
        assert State.HALF_OPEN in here.states
        assert last(here) is State.CLOSED
        assert await rush(here, 20) == (20, 0)


async def test_a_probe_that_fails_opens_it_again(breaker_redis: str) -> None:
    async with desk(breaker_redis, NO_PMS) as here:
        await open_breaker(here)
        await asyncio.sleep(HALF_OPEN_AFTER)
        await fail(here)
        with pytest.raises(BreakerOpenError):
            await succeed(here)


async def test_a_probe_that_succeeds_is_not_yet_enough(breaker_redis: str) -> None:
    async with desk(breaker_redis, NO_PMS) as here:
        await open_breaker(here)
        await asyncio.sleep(HALF_OPEN_AFTER)
        await succeed(here)
        assert last(here) is State.HALF_OPEN
        await succeed(here)
        assert last(here) is State.CLOSED


async def test_cancelled_calls_and_our_own_errors_do_not_count(breaker_redis: str) -> None:
    async with desk(breaker_redis, NO_PMS) as here:
        for _ in range(2 * BREAKER.failures):
            await cancel_inside(here)
            with pytest.raises(ZeroDivisionError):
                async with here.breaker.guard():
                    raise ZeroDivisionError
        await succeed(here)
        assert set(here.states) == {State.CLOSED}


async def test_a_cancelled_probe_gives_its_leave_back(breaker_redis: str) -> None:
    async with desk(breaker_redis, NO_PMS) as here:
        await open_breaker(here)
        await asyncio.sleep(HALF_OPEN_AFTER)
        for _ in range(5):
            await cancel_inside(here)
        assert last(here) is State.HALF_OPEN
        await succeed(here)
        await succeed(here)
        assert last(here) is State.CLOSED


async def test_the_leave_of_a_probe_that_died_lapses(breaker_redis: str) -> None:
    policy = BreakerPolicy(failures=3, open_for=0.1, jitter=0.0, probes=1, probe_for=0.3)
    async with desk(breaker_redis, NO_PMS, breaker=policy) as here:
        await open_breaker(here)
        await asyncio.sleep(0.15)
        entered: list[int] = []
        stuck = asyncio.create_task(hold(here, entered, asyncio.Event()))
        while not entered:
            await asyncio.sleep(0.002)
        with pytest.raises(BreakerOpenError):
            await succeed(here)
        await asyncio.sleep(HALF_OPEN_AFTER)
        await succeed(here)
        assert last(here) is State.CLOSED
        stuck.cancel()


async def test_an_outcome_from_before_the_last_change_is_not_counted(breaker_redis: str) -> None:
    policy = BreakerPolicy(failures=1, open_for=0.1, jitter=0.0, probes=1)
    async with desk(breaker_redis, NO_PMS, breaker=policy) as here:

        async def fail_late() -> None:
            async with here.breaker.guard():  # asks while closed, fails after it opened and closed again
                await fail(here)
                await asyncio.sleep(0.15)
                await succeed(here)
                raise PmsFailedError("late", "timeout")

        with pytest.raises(PmsFailedError):
            await fail_late()
        await succeed(here)
        assert last(here) is State.CLOSED


async def test_the_state_is_one_key_of_its_family_that_expires(redis_url: str) -> None:
    async with desk(redis_url, NO_PMS) as here:
        await open_breaker(here)
        await asyncio.sleep(HALF_OPEN_AFTER)
        await succeed(here)
        keys = await send(here.redis, "KEYS", "*")
        assert keys == [f"{Family.CIRCUIT_BREAKER.value}:pms".encode()]
        assert await send(here.redis, "PTTL", keys[0]) > 0


async def test_two_processes_share_the_state(redis_url: str, pms: Pms) -> None:
    policy = BreakerPolicy(failures=3, open_for=1.0, jitter=0.0, probes=1)
    with running_peer(redis_url, pms.url) as peer:
        async with desk(redis_url, pms.url, breaker=policy) as here:
            await open_breaker(here)
            assert await peer.do("once") == {"failed": True, "states": [State.OPEN]}
            assert pms.requests("availability") == 0
            await asyncio.sleep(1.05)
            await succeed(here)
            assert await peer.do("once") == {"failed": False, "states": [State.CLOSED, State.CLOSED]}
