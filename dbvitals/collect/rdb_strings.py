"""Lengths and strings of a dump: stepping over them, and reading those that are wanted."""

from mmap import mmap
from struct import Struct

from dbvitals.errors import DbvitalsError

SIX_BITS, FOURTEEN_BITS, LENGTH_32, LENGTH_64 = 0x40, 0x80, 0x80, 0x81
INTEGER_8, INTEGER_16, INTEGER_32, LZF = 0xC0, 0xC1, 0xC2, 0xC3
TWO_LENGTHS = Struct(">HH").unpack_from
WIDTHS = {INTEGER_8: 1, INTEGER_16: 2, INTEGER_32: 4}
DIGITS = {INTEGER_8: 2, INTEGER_16: 5, INTEGER_32: 9}
"""Usual length of a number's text; all within one class of every allocator, and those of 32 bits within two."""


class RdbError(DbvitalsError):
    """A file that is no dump, or a part of it that cannot be read."""

    exit_code = 2


def length_at(dump: mmap, place: int) -> tuple[int, int]:
    """Give a length and the place after it. Raises RdbError for what is no plain length."""
    first = dump[place]
    if first < SIX_BITS:
        return first, place + 1
    if first < FOURTEEN_BITS:
        return (first & 63) << 8 | dump[place + 1], place + 2
    if first == LENGTH_32:
        return int.from_bytes(dump[place + 1 : place + 5], "big"), place + 5
    if first == LENGTH_64:
        return int.from_bytes(dump[place + 1 : place + 9], "big"), place + 9
    raise RdbError(f"the dump is damaged: no length at byte {place}", mend="make a new one")


def skip_string(dump: mmap, place: int) -> tuple[int, int]:
    """Give the length of a string as it is in memory, and the place after it."""
    first = dump[place]
    if first < SIX_BITS:
        return first, place + 1 + first
    if first < FOURTEEN_BITS:
        length = (first & 63) << 8 | dump[place + 1]
        return length, place + 2 + length
    if first == LZF:
        packed, length = TWO_LENGTHS(dump, place + 1)
        if packed >> 14 == 1 == length >> 14:  # both of 14 bits, as nearly always
            return length & 0x3FFF, place + 5 + (packed & 0x3FFF)
        return _skip_lzf(dump, place + 1)
    if first in WIDTHS:
        return DIGITS[first], place + 1 + WIDTHS[first]
    length, place = length_at(dump, place)
    return length, place + length


def _skip_lzf(dump: mmap, place: int) -> tuple[int, int]:
    packed, place = length_at(dump, place)
    length, place = length_at(dump, place)
    return length, place + packed


def read_string(dump: mmap, place: int) -> tuple[bytes, int]:
    """Give a string and the place after it."""
    first = dump[place]
    if first < SIX_BITS:
        return dump[place + 1 : place + 1 + first], place + 1 + first
    if first == LZF:
        packed, place = length_at(dump, place + 1)
        length, place = length_at(dump, place)
        return unpack_lzf(dump[place : place + packed], length), place + packed
    if first in WIDTHS:
        end = place + 1 + WIDTHS[first]
        return b"%d" % int.from_bytes(dump[place + 1 : end], "little", signed=True), end
    length, place = length_at(dump, place)
    return dump[place : place + length], place + length


def unpack_lzf(packed: bytes, length: int) -> bytes:
    """Unpack LZF: runs of literals, and references back into what is already there. Raises RdbError."""
    text = bytearray()
    place = 0
    while place < len(packed):
        control = packed[place]
        place += 1
        if control < 32:
            text += packed[place : place + control + 1]
            place += control + 1
            continue
        size = control >> 5
        if size == 7:
            size += packed[place]
            place += 1
        start = len(text) - ((control & 31) << 8) - packed[place] - 1
        place += 1
        # A reference may reach into what it itself writes: then the piece repeats.
        piece = text[start : start + size + 2]
        text += (piece * (1 + (size + 2) // len(piece)))[: size + 2] if start >= 0 and piece else b""
    if len(text) != length:
        raise RdbError(
            "the dump is damaged: a compressed string does not have the length it claims", mend="make a new one"
        )
    return bytes(text)
