"""Pages of a listing: by number, and by a cursor that says after which row to go on."""

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.core.errors import Invalid

LARGEST_PAGE = 500
# No listing has so many rows; a page number beyond is past the end of any, and still fits PostgreSQL's bigint.
FARTHEST = 2**62

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A form number, the time, the key, a check: 33 bytes, which base64 words without padding and in one way only.
CURSOR = struct.Struct(">Bq16s8s")
FORM = 1
CHECK_BYTES = 8


@dataclass(frozen=True, slots=True)
class PageNumber:
    """Which page of how many rows, counted from 1. Raises Invalid for a page below 1 or a size outside 1 to 500."""

    page: int
    size: int

    def __post_init__(self) -> None:
        if self.page < 1:
            raise Invalid(f"page must be 1 or more, this is {self.page}")
        check_size(self.size)

    @property
    def skipped(self) -> int:
        """How many rows lie before the page."""
        return min((self.page - 1) * self.size, FARTHEST)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a row stands in a listing that is sorted by time and key, newest first."""

    timestamp: datetime
    id: UUID


def check_size(size: int) -> None:
    """Raise Invalid for a page size outside 1 to 500."""
    if not 1 <= size <= LARGEST_PAGE:
        raise Invalid(f"page_size must be between 1 and {LARGEST_PAGE}, this is {size}")


def encode_cursor(position: Position, listing: str) -> str:
    """Word a cursor that goes on after the position. `listing` says which rows are listed: tenant and filters."""
    microseconds = (position.timestamp - EPOCH) // timedelta(microseconds=1)
    packed = CURSOR.pack(FORM, microseconds, position.id.bytes, _check(microseconds, position.id.bytes, listing))
    return base64.urlsafe_b64encode(packed).decode()


def decode_cursor(cursor: str, listing: str) -> Position:
    """Read a cursor. Raises Invalid when it is damaged, or was made for another listing.

    It is checked, not signed: it holds nothing but a position, and row level security decides what may be
    seen from there.
    """
    try:
        packed = base64.b64decode(cursor, altchars=b"-_", validate=True)
        form, microseconds, key, check = CURSOR.unpack(packed)
        timestamp = EPOCH + timedelta(microseconds=microseconds)
    except (binascii.Error, ValueError, struct.error, OverflowError) as error:
        raise Invalid("this is not a cursor of this service") from error
    if form != FORM or check != _check(microseconds, key, listing):
        raise Invalid("this cursor belongs to another listing: begin again without one")
    return Position(timestamp=timestamp, id=UUID(bytes=key))


def _check(microseconds: int, key: bytes, listing: str) -> bytes:
    text = f"{microseconds}\x00{key.hex()}\x00{listing}".encode()
    return hashlib.blake2b(text, digest_size=CHECK_BYTES).digest()
