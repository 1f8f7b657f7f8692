r"""Names of keys as text: any bytes, printable, and with one way back.

Printable UTF-8 stays as it is. Every other byte is written `\xNN`, and a backslash of the name `\\`.
"""

import re
import unicodedata

_ESCAPE = re.compile(r"\\(\\|x[0-9a-f]{2})")


def text_of(name: bytes) -> str:
    """Write a name as text."""
    return "".join(_character(character) for character in name.decode("utf-8", "surrogateescape"))


def bytes_of(text: str) -> bytes:
    """Give back the name that `text_of` wrote."""
    parts = _ESCAPE.split(text)
    plain = [part.encode() for part in parts[::2]]
    escaped = [b"\\" if part == "\\" else bytes([int(part[1:], 16)]) for part in parts[1::2]]
    return b"".join(piece for pair in zip(plain, [*escaped, b""], strict=True) for piece in pair)


def _character(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character == " " or unicodedata.category(character)[0] not in "CZ":
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
