"""`/v1/rates`: what the hotel's rooms cost."""

from datetime import date

from app.api.access import OwnScope, PartsOf
from app.api.fields import Day, Shown
from app.api.routes import NOT_FOUND, api_router

router = api_router("rates")


class ShownRate(Shown):
    """The price of the night that begins on this day, in a room of this type."""

    room_type: str
    night: date
    cents: int
    currency: str


class ShownRates(Shown):
    """Rates, and how old they are; `stale` when the hotel's system could not be asked again."""

    items: list[ShownRate]
    stale: bool
    age_seconds: float


@router.get("/v1/rates", response_model=ShownRates, responses=NOT_FOUND)
async def listed(scope: OwnScope, parts: PartsOf, arrival: Day, departure: Day) -> ShownRates:
    """Every room type's price for every night; `departure` is the day after the last one."""
    found = await parts.rates.of(scope, arrival, departure)
    items = [ShownRate.model_validate(rate) for rate in found.value]
    return ShownRates(items=items, stale=found.stale, age_seconds=found.age)
