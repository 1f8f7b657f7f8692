"""Figures and names as people read them."""

import unicodedata
from datetime import UTC, datetime

_UNSAFE_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

UNKNOWN = "unknown"


def visible(text: str) -> str:
    """Escape what would move a cursor, colour a terminal or turn the reading direction."""
    return "".join(_escape(character) if _is_unsafe(character) else character for character in text)


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE_CATEGORIES or character in _BIDIRECTIONAL


def _escape(character: str) -> str:
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def relation(schema: str, name: str) -> str:
    """`schema.name`; the schema public goes without saying, as in psql."""
    return name if schema == "public" else f"{schema}.{name}"


def count(number: float | None) -> str:
    """Group a number's thousands."""
    return UNKNOWN if number is None else f"{number:,.0f}"


def plural(number: int, noun: str, nouns: str = "") -> str:
    """`1 index`, `2 indexes`."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def size(number: int | None) -> str:
    """Give bytes in the largest binary unit that leaves at least 1: `12.3 MiB`."""
    if number is None:
        return UNKNOWN
    value, units = float(number), ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while abs(value) >= 1023.95 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{number} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def percent(share: float | None) -> str:
    """Round a share of 0..100."""
    return UNKNOWN if share is None else f"{share:.0f} %"


def days(number: float | None) -> str:
    """Give a span in days; below one in hours."""
    if number is None:
        return UNKNOWN
    return f"{number * 24:.0f} h" if number < 1 else f"{number:.0f} d"


def moment(time: datetime | None) -> str:
    """Give a point in time, UTC, to the minute."""
    return UNKNOWN if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
