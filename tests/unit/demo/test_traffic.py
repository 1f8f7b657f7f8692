"""The sequence of operations that the demo sends to the service."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

from app.core.identifiers import normalise
from demo.operations import OPERATIONS
from demo.scale import SMALL
from demo.traffic import COUNT, make_calls

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
TODAY = date(2026, 11, 23)


def test_same_seed_gives_the_same_sequence_with_the_same_values() -> None:
    once, again = make_calls(SMALL, 1, UNTIL, TODAY), make_calls(SMALL, 1, UNTIL, TODAY)
    assert once == again
    assert once != make_calls(SMALL, 2, UNTIL, TODAY)


def test_every_operation_occurs_often_enough_to_leave_a_mark() -> None:
    counts = Counter(call.operation.name for call in make_calls(SMALL, 1, UNTIL, TODAY))
    assert counts.keys() == {operation.name for operation in OPERATIONS}
    assert counts.total() == COUNT
    assert min(counts.values()) >= 8


def test_a_few_hotels_have_most_of_the_guests() -> None:
    counts = Counter(call.values.tenant for call in make_calls(SMALL, 1, UNTIL, TODAY)).most_common()
    assert len(counts) > 40
    assert sum(count for _, count in counts[:6]) > COUNT / 2


def test_guests_ask_for_days_to_come_and_the_days_are_told_by_today() -> None:
    later = make_calls(SMALL, 1, UNTIL, TODAY + timedelta(days=30))
    for call, then in zip(make_calls(SMALL, 1, UNTIL, TODAY), later, strict=True):
        values = call.values
        assert TODAY <= values.arrival < values.departure <= TODAY + timedelta(days=60)
        assert then.values.arrival - values.arrival == timedelta(days=30)


def test_guests_are_known_by_the_form_that_the_service_looks_up() -> None:
    for call in make_calls(SMALL, 1, UNTIL, TODAY):
        assert normalise(call.values.value, call.values.platform) == call.values.value
