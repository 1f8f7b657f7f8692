"""What the hotels have: rooms, rates by the night, bookings. Same seed, same rooms and rates."""

import re
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from demo import names
from demo.scale import TENANTS

CURRENCY = "EUR"
LONGEST_STAY = 60
# Type, share of the rooms in percent, guests, price of an ordinary night in cents.
ROOM_TYPES = (
    ("individual", 20, 1, 5_500),
    ("doble", 55, 2, 8_900),
    ("familiar", 20, 4, 13_900),
    ("suite", 5, 2, 24_900),
)
WEEKEND = (4, 5)
HIGH_SEASON = (6, 7, 8, 12)


class RefusalError(Exception):
    """A request that the PMS refuses: `status` as in HTTP, `code` for programs."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomType:
    """Rooms of one kind in one hotel; `cents` is the price of an ordinary night."""

    name: str
    rooms: int
    sleeps: int
    cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """`departure` is the day after the last night."""

    reference: str
    hotel: str
    room_type: str
    arrival: date
    departure: date
    guests: int
    status: str
    total_cents: int
    currency: str


def hotel_code(number: int) -> str:
    """Name of the hotel with this number as the PMS writes it: `gran-hotel-miravalle`."""
    return re.sub(r"[^a-z0-9]+", "-", names.hotel(number).lower())


class Inventory:
    """Rooms and bookings of all hotels. Safe to use from several threads."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._hotels = {hotel_code(number): _room_types(seed, number) for number in range(TENANTS)}
        self._bookings: dict[str, Booking] = {}
        self._by_key: dict[str, tuple[Booking, str]] = {}
        self._taken: dict[tuple[str, str, date], int] = defaultdict(int)

    def hotels(self) -> tuple[str, ...]:
        """Codes of all hotels."""
        return tuple(self._hotels)

    def availability(self, hotel: str, arrival: date, departure: date, guests: int) -> list[dict[str, object]]:
        """Give each room type that sleeps the guests, with rooms free on all nights and the price of the stay."""
        nights = _nights(arrival, departure)
        with self._lock:
            return [
                {
                    "room_type": kind.name,
                    "free": self._free(hotel, kind, nights),
                    "total_cents": sum(self._rate(hotel, kind, night) for night in nights),
                    "currency": CURRENCY,
                }
                for kind in self._types(hotel).values()
                if kind.sleeps >= guests
            ]

    def rates(self, hotel: str, arrival: date, departure: date) -> list[dict[str, object]]:
        """Give the price of every room type for every night."""
        return [
            {"room_type": kind.name, "night": night, "cents": self._rate(hotel, kind, night), "currency": CURRENCY}
            for kind in self._types(hotel).values()
            for night in _nights(arrival, departure)
        ]

    def book(self, key: str, hotel: str, room_type: str, arrival: date, departure: date, guests: int) -> Booking:
        """Hold a room. The same key again gives the same booking; with another request it is refused."""
        request = f"{hotel}|{room_type}|{arrival}|{departure}|{guests}"
        with self._lock:
            if key in self._by_key:
                return self._repeated(key, request)
            booking = self._book(hotel, room_type, _nights(arrival, departure), guests)
            self._by_key[key] = (booking, request)
            return booking

    def settle(self, hotel: str, reference: str, status: str) -> Booking:
        """Confirm or cancel; the same again changes nothing."""
        with self._lock:
            booking = self._bookings.get(reference)
            if booking is None or booking.hotel != hotel:
                raise RefusalError(404, "no_such_booking")
            if booking.status == status:
                return booking
            if booking.status == "cancelled":
                raise RefusalError(409, "booking_is_cancelled")
            if status == "cancelled":
                self._take(booking, -1)
            self._bookings[reference] = replace(booking, status=status)
            return self._bookings[reference]

    def _repeated(self, key: str, request: str) -> Booking:
        booking, earlier = self._by_key[key]
        if request != earlier:
            raise RefusalError(422, "idempotency_key_reused")
        return self._bookings[booking.reference]

    def _book(self, hotel: str, room_type: str, nights: list[date], guests: int) -> Booking:
        kind = self._types(hotel).get(room_type)
        if kind is None:
            raise RefusalError(404, "no_such_room_type")
        if guests > kind.sleeps:
            raise RefusalError(422, "too_many_guests")
        if not self._free(hotel, kind, nights):
            raise RefusalError(409, "no_room_left")
        booking = Booking(
            reference=f"B{len(self._bookings) + 1:06}",
            hotel=hotel,
            room_type=room_type,
            arrival=nights[0],
            departure=nights[-1] + timedelta(days=1),
            guests=guests,
            status="held",
            total_cents=sum(self._rate(hotel, kind, night) for night in nights),
            currency=CURRENCY,
        )
        self._bookings[booking.reference] = booking
        self._take(booking, 1)
        return booking

    def _take(self, booking: Booking, rooms: int) -> None:
        for night in _nights(booking.arrival, booking.departure):
            self._taken[booking.hotel, booking.room_type, night] += rooms

    def _types(self, hotel: str) -> Mapping[str, RoomType]:
        if hotel not in self._hotels:
            raise RefusalError(404, "no_such_hotel")
        return self._hotels[hotel]

    def _free(self, hotel: str, kind: RoomType, nights: list[date]) -> int:
        return min(kind.rooms - self._taken[hotel, kind.name, night] for night in nights)

    def _rate(self, hotel: str, kind: RoomType, night: date) -> int:
        percent = 100 + 25 * (night.weekday() in WEEKEND) + 40 * (night.month in HIGH_SEASON)
        percent += Random(f"{self._seed}:{hotel}:{kind.name}:{night}").randrange(-8, 9)
        return kind.cents * percent // 100


def _room_types(seed: int, number: int) -> dict[str, RoomType]:
    """The first hotels are the largest; every one has at least one room of each type."""
    rooms, random = 20 + 400 // (number + 1), Random(f"{seed}:rooms:{number}")
    return {
        name: RoomType(
            name=name,
            rooms=max(1, rooms * percent // 100),
            sleeps=sleeps,
            cents=cents * random.randrange(80, 131) // 100,
        )
        for name, percent, sleeps, cents in ROOM_TYPES
    }


def _nights(arrival: date, departure: date) -> list[date]:
    count = (departure - arrival).days
    if not 1 <= count <= LONGEST_STAY:
        raise RefusalError(422, "impossible_stay")
    return [arrival + timedelta(days=day) for day in range(count)]
