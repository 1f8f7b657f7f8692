"""What guests are known by, written in the one form in which it is stored, looked up and compared."""

import hashlib
import re
import unicodedata
from collections.abc import Callable

from app.core.errors import Invalid

# Shown and typed between digits, and meaning nothing.
SEPARATORS = re.compile(r"[\s().\-/\u2010-\u2015]+")
# E.164: a country code, which begins with no zero, and at most fifteen digits in all.
INTERNATIONAL = re.compile(r"\+[1-9][0-9]{6,14}")
LONGEST = 320
"""Characters of the column: the longest e-mail address there can be."""


class InvalidIdentifier(Invalid):
    """This cannot be what a guest is known by on the platform."""


def normalise(value: str, platform: str) -> str:
    """Write an identifier in its one form; what is in that form already stays as it is.

    Phones become `+` and digits (E.164), e-mail addresses and chat names lower case. Raises InvalidIdentifier for
    what has no such form: a phone number without its country code, an address without @, nothing at all.
    """
    if platform in ("phone", "sms", "whatsapp"):
        return _phone(unicodedata.normalize("NFKC", value).strip(), platform)
    normal = _stable(value, _email if platform == "email" else _chat_name)
    if not 1 <= len(normal) <= LONGEST or not normal.isprintable():
        raise InvalidIdentifier(f"this is not a name on {platform}")
    return normal


def fingerprint(normal: str, platform: str) -> bytes:
    """Give 32 bytes that stand for a normal identifier, the same that the database's trigger announces."""
    return hashlib.sha256(f"{platform}:{normal}".encode()).digest()


def _phone(text: str, platform: str) -> str:
    digits = SEPARATORS.sub("", text.lower().removeprefix("whatsapp:").removeprefix("tel:"))
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    elif platform == "whatsapp" and not digits.startswith("+"):
        digits = "+" + digits  # WhatsApp's own identifiers are international, without the plus
    if not INTERNATIONAL.fullmatch(digits):
        raise InvalidIdentifier("a phone number is written with its country code: +34 612 345 678")
    return digits


def _stable(text: str, fold: Callable[[str], str]) -> str:
    """Fold until nothing changes any more: some letters need two rounds, and one form is what this is for."""
    while (folded := fold(text)) != text:
        text = folded
    return text


def _email(text: str) -> str:
    lower = unicodedata.normalize("NFKC", text).strip().lower()
    name, _, domain = lower.rpartition("@")
    if not name or not domain or any(character.isspace() for character in lower):
        raise InvalidIdentifier("an e-mail address is written name@domain")
    return lower


def _chat_name(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().removeprefix("@").casefold()
