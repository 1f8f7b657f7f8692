from datetime import UTC, datetime

import pytest

from dbvitals.render.text import count, days, moment, percent, plural, relation, size, visible


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("idx_sessions_state", "idx_sessions_state"),
        ("two\nlines\r\t", r"two\nlines\r\t"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("c1 \x9b31m", r"c1 \x9b31m"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("para\u2029graph", r"para\u2029graph"),
        ("lone \ud800 surrogate", r"lone \ud800 surrogate"),
        ("👩‍🔧 habitación", "👩‍🔧 habitación"),
    ],
)
def test_what_steers_a_terminal_is_escaped_and_the_rest_is_left_alone(raw: str, shown: str) -> None:
    assert visible(raw) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (None, "unknown"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (12_345_678, "11.8 MiB"),
        (1024**5 * 2000, "2000.0 PiB"),
    ],
)
def test_sizes_are_in_the_largest_unit_that_leaves_one(number: int | None, shown: str) -> None:
    assert size(number) == shown


def test_what_is_not_known_is_never_nought() -> None:
    assert [count(None), size(None), percent(None), days(None), moment(None)] == ["unknown"] * 5


def test_numbers_are_grouped_and_spans_have_units() -> None:
    assert count(1_234_567) == "1,234,567"
    assert percent(62.4) == "62 %"
    assert days(0.5) == "12 h"
    assert days(31.2) == "31 d"
    assert plural(1, "index", "indexes") == "1 index"
    assert plural(2_000, "index", "indexes") == "2,000 indexes"
    assert moment(datetime(2026, 11, 23, 12, 30, tzinfo=UTC)) == "2026-11-23 12:30 UTC"


def test_the_schema_public_goes_without_saying() -> None:
    assert relation("public", "sessions") == "sessions"
    assert relation("billing", "sessions") == "billing.sessions"
