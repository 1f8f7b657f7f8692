"""Pages of listings by cursor: one row more than is shown tells whether there is a page after it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.db.paging import Position, check_size, decode_cursor, encode_cursor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items, the newest first, and the cursor of the page after them; None after the last one."""

    items: tuple[T, ...]
    next_cursor: str | None


def position_of(cursor: str | None, listing: str, size: int) -> Position | None:
    """Where the page begins; None at the beginning. Raises Invalid for another listing's cursor or a wrong size."""
    check_size(size)
    return None if cursor is None else decode_cursor(cursor, listing)


def page_of(found: Sequence[T], size: int, listing: str, place: Callable[[T], Position]) -> Page[T]:
    """Cut a page from up to `size` + 1 items."""
    shown = tuple(found[:size])
    return Page(shown, encode_cursor(place(shown[-1]), listing) if len(found) > size else None)
