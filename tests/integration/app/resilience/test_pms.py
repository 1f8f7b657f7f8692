"""The PMS client against the sandbox PMS: answers, refusals, retries, time-outs, and what is measured of them."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest

from app.core.errors import Invalid
from app.services.local_breaker import BreakerPolicy
from app.services.pms_types import (
    Nights,
    PmsFailedError,
    PmsNotFoundError,
    PmsRejectedError,
    PmsUnavailableError,
    RoomOffer,
    Stay,
)
from tests.integration.app.resilience.ground import HALF_OPEN_AFTER, HOTEL, NIGHTS, STAY, Desk, Pms, desk

NO_REDIS = "redis://127.0.0.1:1/0"
NEVER_OPENS = BreakerPolicy(failures=1_000)

pytestmark = pytest.mark.asyncio


def calls(here: Desk, operation: str, outcome: str) -> float:
    return here.sample("pms_api_latency_seconds_count", operation=operation, outcome=outcome) or 0


def stay_of(month: int) -> Stay:
    """A stay that no other test books into."""
    nights = Nights(hotel=HOTEL, arrival=date(2027, month, 1), departure=date(2027, month, 3))
    return Stay(nights=nights, guests=2)


async def free_doubles(here: Desk, stay: Stay) -> int:
    offers = {offer.room_type: offer for offer in await here.pms.availability(stay)}
    return offers["doble"].free


async def test_availability_and_rates_come_typed_and_agree(redis_url: str, pms: Pms) -> None:
    async with desk(redis_url, pms.url) as here:
        offers = {offer.room_type: offer for offer in await here.pms.availability(STAY)}
        rates = await here.pms.rates(NIGHTS)
        assert set(offers) == {"doble", "familiar", "suite"}  # those that two guests fit in
        assert isinstance(offers["doble"], RoomOffer)
        of_doubles = [rate.cents for rate in rates if rate.room_type == "doble"]
        assert len(of_doubles) == 2
        assert offers["doble"].total_cents == sum(of_doubles)
        assert calls(here, "availability", "ok") == calls(here, "rates", "ok") == 1


async def test_a_booking_takes_a_room_until_it_is_cancelled(redis_url: str, pms: Pms) -> None:
    stay = stay_of(1)
    async with desk(redis_url, pms.url) as here:
        before = await free_doubles(here, stay)
        booking = await here.pms.create_booking(stay, "doble", UUID(int=1))
        assert booking.status == "held"
        assert await free_doubles(here, stay) == before - 1
        for _ in range(2):
            assert (await here.pms.confirm_booking(HOTEL, booking.reference)).status == "confirmed"
        for _ in range(2):
            assert (await here.pms.cancel_booking(HOTEL, booking.reference)).status == "cancelled"
        assert await free_doubles(here, stay) == before
        with pytest.raises(PmsRejectedError, match="booking_is_cancelled"):
            await here.pms.confirm_booking(HOTEL, booking.reference)


async def test_a_booking_whose_answer_was_lost_is_booked_once(redis_url: str, pms: Pms) -> None:
    stay = stay_of(2)
    async with desk(redis_url, pms.url, pms_timeout=0.3, breaker=NEVER_OPENS) as here:
        before = await free_doubles(here, stay)
        pms.dial(delay=0.6)
        with pytest.raises(PmsFailedError):
            await here.pms.create_booking(stay, "doble", UUID(int=2))
        assert pms.requests("create_booking") == 2
        await asyncio.sleep(0.7)
        pms.dial()
        booking = await here.pms.create_booking(stay, "doble", UUID(int=2))
        assert booking.status == "held"
        assert await free_doubles(here, stay) == before - 1


async def test_an_error_that_passes_is_retried_and_one_that_stays_is_raised(redis_url: str, pms: Pms) -> None:
    async with desk(redis_url, pms.url, breaker=NEVER_OPENS) as here:
        pms.dial(failure_rate=0.5, seed=3)
        outcomes = [await asked(here) for _ in range(20)]
        assert calls(here, "availability", "failed") > 0
        assert calls(here, "availability", "ok") == outcomes.count("ok") > 10
        pms.dial(mode="down")
        assert await asked(here) == "PmsFailedError"
        assert pms.requests("availability") == 2


async def asked(here: Desk) -> str:
    try:
        await here.pms.availability(STAY)
    except PmsUnavailableError as error:
        return type(error).__name__
    return "ok"


async def test_a_refusal_is_not_retried_and_does_not_open_the_breaker(redis_url: str, pms: Pms) -> None:
    async with desk(redis_url, pms.url) as here:
        nowhere = replace(STAY, nights=replace(NIGHTS, hotel="no-such-hotel"))
        for _ in range(10):
            with pytest.raises(PmsNotFoundError):
                await here.pms.availability(nowhere)
        with pytest.raises(PmsRejectedError, match="too_many_guests"):
            await here.pms.create_booking(replace(STAY, guests=9), "doble", UUID(int=3))
        assert pms.requests("availability") == 10
        assert calls(here, "availability", "not_found") == 10
        assert calls(here, "create_booking", "rejected") == 1
        assert await asked(here) == "ok"


async def test_a_slow_pms_costs_no_more_than_its_time_out_and_opens_the_breaker(redis_url: str, pms: Pms) -> None:
    async with desk(redis_url, pms.url, pms_timeout=0.2) as here:
        pms.dial(mode="slow")
        begun = asyncio.get_running_loop().time()
        assert [await asked(here) for _ in range(2)] == ["PmsFailedError", "PmsUnavailableError"]
        assert asyncio.get_running_loop().time() - begun < 2.5
        assert calls(here, "availability", "timeout") == 3
        assert here.sample("pms_circuit_breaker_state", pms="pms") == 1
        pms.dial()
        await asyncio.sleep(HALF_OPEN_AFTER)
        assert [await asked(here) for _ in range(2)] == ["ok", "ok"]
        assert here.sample("pms_circuit_breaker_state", pms="pms") == 0


async def test_a_pms_that_is_not_there_fails_as_one_that_is_down(redis_url: str) -> None:
    async with desk(redis_url, "http://127.0.0.1:1") as here:
        assert await asked(here) == "PmsFailedError"
        assert calls(here, "availability", "failed") == 2


async def test_cancelled_calls_are_measured_as_such_and_do_not_count(redis_url: str, pms: Pms) -> None:
    async with desk(redis_url, pms.url) as here:
        pms.dial(delay=1.0)
        tasks = [asyncio.create_task(here.pms.availability(STAY)) for _ in range(5)]
        while pms.requests("availability") < 5:
            await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert calls(here, "availability", "cancelled") == 5
        pms.dial()
        assert await asked(here) == "ok"


async def test_what_cannot_be_a_stay_or_a_path_is_not_sent(redis_url: str, pms: Pms) -> None:
    async with desk(redis_url, pms.url) as here:
        for hostile in ("", "../_dial", "Ñandú", "a/b", "a" * 64, "x'; drop table --"):
            with pytest.raises(Invalid):
                Nights(hotel=hostile, arrival=NIGHTS.arrival, departure=NIGHTS.departure)
            with pytest.raises(Invalid):
                await here.pms.cancel_booking(HOTEL, hostile if hostile != "a" * 64 else "a" * 65)
        for nights in (-1, 0, 61):
            with pytest.raises(Invalid):
                replace(NIGHTS, departure=NIGHTS.arrival + timedelta(days=nights))
        for guests in (0, 21):
            with pytest.raises(Invalid):
                Stay(nights=NIGHTS, guests=guests)
        assert pms.requests("settle_booking") == 0
