"""What a hotel's rooms cost by the night, as its PMS says."""

from collections.abc import Callable
from datetime import UTC, date, datetime

from app.core.database import Database
from app.core.errors import NotFound
from app.core.tenancy import TenantScope
from app.db import tenants
from app.services.bookable import check_bookable
from app.services.pms_cache import PmsCache, Rates
from app.services.pms_types import HOTEL, Nights, check_nights
from app.services.read_through import Cached


def _today() -> date:
    return datetime.now(UTC).date()


class HotelRates:
    """The rates of all tenants' hotels, through the cache."""

    def __init__(self, database: Database, pms: PmsCache, *, today: Callable[[], date] = _today) -> None:
        self._database = database
        self._pms = pms
        self._today = today

    async def of(self, scope: TenantScope, arrival: date, departure: date) -> Cached[Rates]:
        """Give every room type's price for every night; `departure` is the day after the last.

        Raises Invalid for nights that nobody can ask for, NotFound for a hotel that the PMS does not know, and what
        `PmsClient` raises when not even old rates are there.
        """
        for day in (arrival, departure):
            check_bookable(day, self._today())
        check_nights(arrival, departure)
        async with self._database.read(scope) as session:
            hotel = await tenants.pms_hotel(session)
        if hotel is None or not HOTEL.fullmatch(hotel):
            raise NotFound("this hotel has no reservation system set up")
        return await self._pms.rates(Nights(hotel=hotel, arrival=arrival, departure=departure))
