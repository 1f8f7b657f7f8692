"""Rates on real servers: those of the tenant's own hotel, for nights that can be asked for."""

from datetime import date, timedelta

import pytest

from app.core.errors import Invalid, NotFound, Unavailable
from app.core.ids import uuid7
from app.core.tenancy import TenantScope
from app.services.hotel_rates import HotelRates
from tests.integration.app.resilience.ground import Pms
from tests.integration.app.services.front import ARRIVAL, Front

pytestmark = pytest.mark.asyncio

DEPARTURE = ARRIVAL + timedelta(days=3)


@pytest.fixture
def rates(desk: Front) -> HotelRates:
    return HotelRates(desk.database, desk.desk.cache)


async def test_every_night_of_every_room_type_has_its_price(desk: Front, rates: HotelRates, pms: Pms) -> None:
    found = await rates.of(desk.hotel.ours, ARRIVAL, DEPARTURE)
    nights = {ARRIVAL + timedelta(days=day) for day in range(3)}
    types = {rate.room_type for rate in found.value}
    assert {(rate.room_type, rate.night) for rate in found.value} == {(one, night) for one in types for night in nights}
    assert (await rates.of(desk.hotel.ours, ARRIVAL, DEPARTURE)).value == found.value
    assert pms.requests("rates") == 1


async def test_a_hotel_without_a_pms_or_that_is_gone_has_no_rates(desk: Front, rates: HotelRates) -> None:
    nobody = TenantScope(uuid7(), "test", "request-1")
    for scope in (desk.hotel.theirs, nobody):
        with pytest.raises(NotFound):
            await rates.of(scope, ARRIVAL, DEPARTURE)
    desk.hotel.owner.execute("update tenants set deleted_at = now()")
    with pytest.raises(NotFound):
        await rates.of(desk.hotel.ours, ARRIVAL, DEPARTURE)


@pytest.mark.parametrize(
    ("arrival", "departure"),
    [
        (ARRIVAL, ARRIVAL),
        (DEPARTURE, ARRIVAL),
        (ARRIVAL, ARRIVAL + timedelta(days=61)),
        (ARRIVAL - timedelta(days=40), ARRIVAL),
        (ARRIVAL, ARRIVAL + timedelta(days=740)),
        (date.min, date.max),
    ],
)
async def test_nights_that_nobody_can_ask_for_are_refused(
    desk: Front, rates: HotelRates, pms: Pms, arrival: date, departure: date
) -> None:
    with desk.counted() as sent, pytest.raises(Invalid):
        await rates.of(desk.hotel.ours, arrival, departure)
    assert (sent, pms.requests("rates")) == ([], 0)


async def test_while_the_pms_is_down_there_are_no_rates(desk: Front, rates: HotelRates, pms: Pms) -> None:
    pms.dial(mode="down")
    with pytest.raises(Unavailable):
        await rates.of(desk.hotel.ours, ARRIVAL, DEPARTURE)
