"""What is asked of a hotel's PMS and what it answers: stays, offers, rates, bookings, errors."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from msgspec import Meta

from app.core.errors import Conflict, Invalid, NotFound, Unavailable

HOTEL = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,64}")
LONGEST_STAY = 60
MOST_GUESTS = 20

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Count = Annotated[int, Meta(ge=0)]
Cents = Annotated[int, Meta(ge=0)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class PmsUnavailableError(Unavailable):
    """The PMS could not be asked; `retry_after` is in seconds, when it is known."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PmsFailedError(PmsUnavailableError):
    """The PMS was asked and failed: no answer in time, or none that makes sense. Counts against its breaker."""

    def __init__(self, message: str, outcome: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class PmsNotFoundError(NotFound):
    """The PMS knows no such hotel, room type or booking."""


class PmsRejectedError(Conflict):
    """The PMS says no, and would again; `code` is its reason."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the hotel's system refuses: {code}")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Nights:
    """Nights in a hotel, by its code; `departure` is the day after the last. Raises Invalid for what cannot be."""

    hotel: str
    arrival: date
    departure: date

    def __post_init__(self) -> None:
        check_hotel(self.hotel)
        check_nights(self.arrival, self.departure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """Nights for a number of guests."""

    nights: Nights
    guests: int

    def __post_init__(self) -> None:
        check_guests(self.guests)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomOffer:
    """Rooms of one type: so many are free on all nights; `total_cents` is the price of the whole stay in one."""

    room_type: Name
    free: Count
    total_cents: Cents
    currency: Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Price of one night in a room of a type."""

    room_type: Name
    night: date
    cents: Cents
    currency: Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """A booking as the PMS has it."""

    reference: Annotated[str, Meta(pattern=f"^{REFERENCE.pattern}$")]
    hotel: Name
    room_type: Name
    arrival: date
    departure: date
    guests: int
    status: Literal["held", "confirmed", "cancelled"]
    total_cents: Cents
    currency: Currency


def check_hotel(code: str) -> None:
    """Raise Invalid for what is no hotel's code; only a code goes into a path."""
    if not HOTEL.fullmatch(code):
        raise Invalid("a hotel's code is lower-case letters, digits and hyphens, at most 63")


def check_nights(arrival: date, departure: date) -> None:
    """Raise Invalid for a stay that is no stay, or too long."""
    if not 1 <= (departure - arrival).days <= LONGEST_STAY:
        raise Invalid(f"a stay is 1 to {LONGEST_STAY} nights")


def check_guests(guests: int) -> None:
    """Raise Invalid for more or fewer than a stay can be for."""
    if not 1 <= guests <= MOST_GUESTS:
        raise Invalid(f"a stay is for 1 to {MOST_GUESTS} guests")


def check_reference(reference: str) -> None:
    """Raise Invalid for what is no booking's reference; only a reference goes into a path."""
    if not REFERENCE.fullmatch(reference):
        raise Invalid("a booking's reference is letters, digits, hyphens and underscores, at most 64")
