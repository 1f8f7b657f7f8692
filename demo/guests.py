"""Who there is: the hotels of the group, and their guests with what each is known by on every platform."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, count
from random import Random
from typing import NamedTuple, TypeVar

from app.core.ids import COUNTER_BITS, TAIL_BITS, uuid7_from
from demo import names
from demo.rhythm import DAY_MS, DAYS, HOUR_MS, milliseconds
from demo.scale import TENANTS, Scale

T = TypeVar("T")

TIMEZONES = ("Europe/Madrid", "America/Montevideo", "America/Bogota", "Atlantic/Canary", "America/Santiago")
GUESTS_SINCE_DAYS = 3 * DAYS
REMOVED_PERCENT = 2

# What share of the guests, in percent, is known on a platform, and by what.
PLATFORMS: tuple[tuple[str, int, Callable[[int, Random], str]], ...] = (
    ("phone", 100, lambda guest, _: names.phone(guest)),
    ("whatsapp", 60, lambda guest, _: names.phone(guest)),
    ("email", 50, names.email),
    ("telegram", 15, lambda guest, _: f"example_guest_{guest}"),
    ("sms", 10, lambda guest, _: names.phone(guest)),
    ("webchat", 10, lambda guest, random: f"visitor-{guest}-{random.getrandbits(32):08x}"),
    ("instagram", 8, lambda guest, _: f"example.guest.{guest}"),
    ("messenger", 6, lambda guest, _: f"example-page-guest-{guest}"),
)


class Tenant(NamedTuple):
    """One hotel. `created` is Unix milliseconds."""

    id: str
    name: str
    timezone: str
    created: int


class Identifier(NamedTuple):
    """What a guest (`user`) is known by; `tenant` is the hotel's position in `Directory.tenants`."""

    tenant: int
    id: str
    user: str
    platform: str
    value: str
    created: int
    removed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """All hotels, largest first, all identifiers in the order of their creation, and the live ones by hotel."""

    tenants: tuple[Tenant, ...]
    identifiers: tuple[Identifier, ...]
    live: tuple[tuple[Identifier, ...], ...]

    def tenant(self, random: Random) -> int:
        """Choose a hotel, by size."""
        return bisect_right(_BY_SIZE, int(random.random() * _BY_SIZE[-1]))

    def identifier(self, tenant: int, random: Random) -> Identifier:
        """Choose a live identifier of the hotel; few guests write often."""
        known = self.live[tenant]
        return known[int(random.random() * random.random() * len(known))]


# Zipf's law: the second hotel has half as many guests as the first.
_BY_SIZE = tuple(accumulate(1_000_000 // rank for rank in range(1, TENANTS + 1)))


def uuid_at(moment: int, random: Random) -> str:
    """Make a version 7 UUID of a row's own time (Unix milliseconds) and seeded bits."""
    return str(uuid7_from(moment, random.getrandbits(COUNTER_BITS), random.getrandbits(TAIL_BITS)))


def choose(options: Sequence[T], bounds: Sequence[int], random: Random) -> T:
    """Choose one by weight; `bounds` are the accumulated weights."""
    return options[bisect_right(bounds, int(random.random() * bounds[-1]))]


def make_directory(scale: Scale, seed: int, until: datetime) -> Directory:
    """Make the hotels and exactly `scale.identifiers` identifiers; all are older than the year of traffic."""
    random = Random(f"{seed}:directory")
    opened = milliseconds(until) - GUESTS_SINCE_DAYS * DAY_MS
    tenants = tuple(_tenants(opened, random))
    identifiers = tuple(_identifiers(scale.identifiers, opened, random))
    live: list[list[Identifier]] = [[] for _ in tenants]
    for identifier in identifiers:
        if identifier.removed is None:
            live[identifier.tenant].append(identifier)
    return Directory(tenants=tenants, identifiers=identifiers, live=tuple(map(tuple, live)))


def _tenants(opened: int, random: Random) -> Iterator[Tenant]:
    for number in range(TENANTS):
        created = opened + number * HOUR_MS
        zone = TIMEZONES[number % len(TIMEZONES)]
        yield Tenant(uuid_at(created, random), names.hotel(number), zone, created)


def _identifiers(wanted: int, opened: int, random: Random) -> Iterator[Identifier]:
    """Guest by guest, evenly over the two years before the traffic; the first sixty, one for each hotel."""
    step = (GUESTS_SINCE_DAYS - DAYS - 5) * DAY_MS // wanted
    made = 0
    for guest in count():
        created = opened + 3 * DAY_MS + made * step
        for identifier in _of_guest(guest, created, random):
            yield identifier
            made += 1
            if made == wanted:
                return


def _of_guest(guest: int, created: int, random: Random) -> Iterator[Identifier]:
    tenant = guest if guest < TENANTS else bisect_right(_BY_SIZE, int(random.random() * _BY_SIZE[-1]))
    user = uuid_at(created, random)
    for platform, percent, value in PLATFORMS:
        if random.random() * 100 < percent:
            yield Identifier(tenant, uuid_at(created, random), user, platform, value(guest, random), created, None)
    if guest and random.random() * 100 < REMOVED_PERCENT:
        # A number that has gone to another guest since: unique among live rows only.
        removed = created + DAY_MS
        yield Identifier(tenant, uuid_at(created, random), user, "phone", names.phone(guest - 1), created, removed)
