"""Page numbers and cursors: what they hold, and what is refused."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Invalid
from app.core.ids import uuid7
from app.db.paging import LARGEST_PAGE, PageNumber, Position, decode_cursor, encode_cursor

POSITIONS = st.builds(Position, st.datetimes(timezones=st.just(UTC)), st.uuids())


@given(position=POSITIONS, listing=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_cursor_leads_back_to_its_position(position: Position, listing: str) -> None:
    assert decode_cursor(encode_cursor(position, listing), listing) == position


@given(position=POSITIONS, place=st.integers(0, 43), letter=st.sampled_from("AZaz09-_"))
def test_a_changed_cursor_is_refused(position: Position, place: int, letter: str) -> None:
    cursor = encode_cursor(position, "tenant")
    changed = cursor[:place] + letter + cursor[place + 1 :]
    if changed != cursor:
        with pytest.raises(Invalid):
            decode_cursor(changed, "tenant")


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        decode_cursor(text, "tenant")


def test_a_cursor_of_another_listing_is_refused() -> None:
    cursor = encode_cursor(Position(datetime(2026, 11, 20, tzinfo=UTC), uuid7()), "ours")
    with pytest.raises(Invalid, match="another listing"):
        decode_cursor(cursor, "theirs")


@pytest.mark.parametrize(("page", "size"), [(0, 20), (-1, 20), (1, 0), (1, -5), (1, LARGEST_PAGE + 1)])
def test_pages_that_cannot_be_are_refused(page: int, size: int) -> None:
    with pytest.raises(Invalid, match="page"):
        PageNumber(page, size)


def test_the_farthest_page_fits_the_servers_numbers() -> None:
    assert PageNumber(10**30, LARGEST_PAGE).skipped < 2**63 - LARGEST_PAGE
    assert PageNumber(3, 20).skipped == 40
