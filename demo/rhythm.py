"""When things happen in a hotel: by season, by weekday, by hour; and how moments are written for COPY."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random

DAYS = 365
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

# Integers throughout: shares are then the same on every machine.
BY_MONTH = (5, 5, 6, 8, 9, 11, 14, 15, 11, 8, 5, 8)
BY_WEEKDAY = (9, 8, 8, 9, 12, 13, 11)
BY_HOUR = (3, 2, 1, 1, 1, 2, 5, 9, 13, 14, 13, 12, 12, 11, 13, 15, 16, 15, 14, 13, 12, 10, 7, 5)


def milliseconds(moment: datetime) -> int:
    """Unix time of an aware datetime, exactly."""
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def moments(count: int, until: datetime, random: Random) -> Iterator[int]:
    """Give `count` moments of the year before `until`, in order, in Unix milliseconds. Holds one hour at a time."""
    hours = [until - timedelta(hours=back) for back in range(DAYS * 24, 0, -1)]
    weights = [BY_MONTH[h.month - 1] * BY_WEEKDAY[h.weekday()] * BY_HOUR[h.hour] for h in hours]
    total, before = sum(weights), 0
    for hour, weight in zip(hours, weights, strict=True):
        share = count * (before + weight) // total - count * before // total
        before += weight
        start = milliseconds(hour)
        yield from sorted(start + int(random.random() * HOUR_MS) for _ in range(share))


def stamp(moment: int) -> str:
    """Write Unix milliseconds as PostgreSQL reads a timestamptz."""
    hour, rest = divmod(moment, HOUR_MS)
    minute, rest = divmod(rest, 60_000)
    second, fraction = divmod(rest, 1000)
    return f"{_hour(hour)}:{minute:02}:{second:02}.{fraction:03}+00"


@lru_cache(maxsize=64)
def _hour(hours: int) -> str:
    return datetime.fromtimestamp(hours * 3600, UTC).strftime("%Y-%m-%d %H")
