"""When things happen."""

from collections import Counter
from datetime import UTC, datetime
from random import Random

import pytest

from demo.rhythm import milliseconds, moments, stamp

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)


def at(moment: int) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC)


@pytest.mark.parametrize("count", [0, 1, 7, 60_000])
def test_exactly_as_many_moments_as_asked_for(count: int) -> None:
    assert sum(1 for _ in moments(count, UNTIL, Random(1))) == count


def test_evenings_and_summers_are_busier_than_nights_and_winters() -> None:
    times = [at(moment) for moment in moments(20_000, UNTIL, Random(1))]
    hours, months = Counter(t.hour for t in times), Counter(t.month for t in times)
    assert hours[16] > 5 * hours[3] > 0
    assert months[8] > 2 * months[2] > 0


def test_stamps_are_exact_to_the_millisecond() -> None:
    moment = datetime(2026, 2, 28, 23, 59, 59, 7000, tzinfo=UTC)
    assert stamp(milliseconds(moment)) == "2026-02-28 23:59:59.007+00"
