"""The sequence of operations that the service runs."""

from collections import Counter
from datetime import UTC, datetime

from demo.operations import AUDIT_OF_REQUEST, OPERATIONS
from demo.scale import SMALL
from demo.traffic import COUNT, make_calls

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)


def test_same_seed_gives_the_same_sequence_with_the_same_parameters() -> None:
    once, again = make_calls(SMALL, 1, UNTIL), make_calls(SMALL, 1, UNTIL)
    assert once == again
    assert once != make_calls(SMALL, 2, UNTIL)


def test_every_operation_of_the_service_occurs() -> None:
    counts = Counter(call.operation.name for call in make_calls(SMALL, 1, UNTIL))
    assert counts.keys() == {operation.name for operation in OPERATIONS}
    assert counts.total() == COUNT


def test_operations_of_a_fault_take_the_place_of_others_all_over_the_day() -> None:
    calls = make_calls(SMALL, 1, UNTIL, [AUDIT_OF_REQUEST] * 60)
    places = [place for place, call in enumerate(calls) if call.operation is AUDIT_OF_REQUEST]
    assert len(calls) == COUNT
    assert len(places) == 60
    assert places[0] < COUNT / 30
    assert places[-1] > COUNT - COUNT / 30


def test_without_faults_nothing_of_them_occurs() -> None:
    assert AUDIT_OF_REQUEST not in {call.operation for call in make_calls(SMALL, 1, UNTIL)}
