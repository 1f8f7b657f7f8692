"""Small rules of the services: what can be stored, which days can be asked for, whose rows a principal may name."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from app.core.errors import Invalid, NotFound
from app.core.tenancy import TenantScope
from app.db.paging import EPOCH, Position
from app.services.bookable import check_bookable
from app.services.listing import page_of, position_of
from app.services.principals import Principal
from app.services.texts import check_text

OURS, THEIRS = UUID(int=1), UUID(int=2)
TODAY = date(2026, 11, 23)


@pytest.mark.parametrize("text", ["a", "x" * 10, "🏨", "a\nb", "'; --", "\u202e"])
def test_a_text_that_can_be_stored_passes(text: str) -> None:
    check_text("name", text, 10)


@pytest.mark.parametrize("text", ["", "x" * 11, "\x00", "a\x00", "\ud800", "\udfffa"])
def test_a_text_that_cannot_be_stored_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(Invalid, match="name ") as caught:
        check_text("name", text, 10)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("days", [-1, 0, 1, 731])
def test_a_day_from_yesterday_to_two_years_ahead_can_be_asked_for(days: int) -> None:
    check_bookable(TODAY + timedelta(days=days), TODAY)


@pytest.mark.parametrize("day", [TODAY - timedelta(days=2), TODAY + timedelta(days=732), date.min, date.max])
def test_no_other_day_can(day: date) -> None:
    with pytest.raises(Invalid):
        check_bookable(day, TODAY)


def test_a_program_works_for_its_own_tenant_and_an_operator_for_any() -> None:
    program = Principal(kind="tenant", tenant_id=OURS, actor="token:7")
    assert program.scope(OURS, "request-1") == TenantScope(OURS, "token:7", "request-1")
    with pytest.raises(NotFound):
        program.scope(THEIRS, "request-1")
    operator = Principal(kind="admin", tenant_id=None, actor="admin")
    assert operator.scope(THEIRS, "request-1") == TenantScope(THEIRS, "admin", "request-1")


def place(number: int) -> Position:
    return Position(EPOCH + timedelta(seconds=number), UUID(int=number))


@pytest.mark.parametrize(("found", "more"), [([], False), ([3], False), ([3, 2], False), ([3, 2, 1], True)])
def test_a_page_has_a_next_one_when_more_was_found_than_it_shows(found: list[int], more: bool) -> None:
    page = page_of(found, 2, "listing", place)
    assert list(page.items) == found[:2]
    assert (page.next_cursor is not None) == more
    if page.next_cursor is not None:
        assert position_of(page.next_cursor, "listing", 2) == place(2)


def test_a_page_begins_where_its_own_listings_cursor_says() -> None:
    assert position_of(None, "listing", 2) is None
    cursor = page_of([2, 1], 1, "listing", place).next_cursor
    with pytest.raises(Invalid):
        position_of(cursor, "another listing", 2)
    for size in (0, 501):
        with pytest.raises(Invalid):
            position_of(None, "listing", size)
