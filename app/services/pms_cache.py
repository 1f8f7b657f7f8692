"""What the PMS answered lately: free rooms under `availability:*`, rates under `pms_cache:*`."""

from app.core.metrics import CacheMetrics
from app.core.redis import Family, Keys, RedisClient
from app.services.pms import PmsClient
from app.services.pms_types import Nights, Rate, RoomOffer, Stay
from app.services.read_through import Cached, CachePolicy, ReadThrough

AVAILABILITY = CachePolicy(fresh=300.0, grace=900.0)
RATES = CachePolicy(fresh=600.0, grace=6 * 3600.0)  # rates change by the day, free rooms by the minute

Offers = tuple[RoomOffer, ...]
Rates = tuple[Rate, ...]


class PmsCache:
    """Reads from one PMS through Redis. Both operations raise what PmsClient's do, and NotFound from memory.

    While the PMS fails they give what it answered before, marked as stale: good enough to talk about, not to book.
    """

    def __init__(
        self,
        pms: PmsClient,
        redis: RedisClient,
        keys: Keys,
        metrics: CacheMetrics,
        *,
        availability: CachePolicy = AVAILABILITY,
        rates: CachePolicy = RATES,
    ) -> None:
        self._pms = pms
        self._keys = keys
        self._offers = ReadThrough[Offers](Family.AVAILABILITY, Offers, redis, metrics, availability)
        self._rates = ReadThrough[Rates](Family.PMS_CACHE, Rates, redis, metrics, rates)

    async def availability(self, stay: Stay) -> Cached[Offers]:
        """Give the rooms free for a stay."""
        nights = stay.nights
        key = self._keys.make(
            Family.AVAILABILITY, self._pms.name, nights.hotel, nights.arrival, nights.departure, stay.guests
        )
        return await self._offers.get(key, lambda: self._pms.availability(stay))

    async def rates(self, nights: Nights) -> Cached[Rates]:
        """Give the price of every room type for every night."""
        key = self._keys.make(Family.PMS_CACHE, "rates", self._pms.name, nights.hotel, nights.arrival, nights.departure)
        return await self._rates.get(key, lambda: self._pms.rates(nights))

    async def aclose(self) -> None:
        """Cancel what is under way."""
        await self._offers.aclose()
        await self._rates.aclose()
