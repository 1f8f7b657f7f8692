"""Folds the name of a Redis key into its pattern: the declared family, or what is left when identities are taken out.

`collect/lua/keyspace_slice.lua` does the same on the server; a test holds the two to each other, byte for byte.
"""

import re
from collections.abc import Sequence

from dbvitals.expect import KeyFamily

OTHER = "other"
"""All keys whose pattern has no row of its own."""

EMPTY = "<empty>"
"""The key whose name is the empty string."""

LONGEST = 128
"""Bytes of a name that are looked at; what comes after is `*`, with the part that is cut: it may be half an address."""

LEADING_PARTS = 3
"""So many parts (tenant, environment, service) may stand before a declared prefix."""

LONGEST_WORD = 40
"""A part longer than this is data, not a name that somebody chose."""

HEX_LEAST = 8
"""Shorter runs of hexadecimal digits are words as well (`cafe`, `1a`)."""

MIXED_LEAST = 3
"""A part in which digits give way to letters this often is an identifier (base64, ULID), not a name with a number."""

_UNPRINTABLE = re.compile(rb"[^ -~]")
_DIGITS = re.compile(rb"[0-9]+")
_DIGIT = re.compile(rb"[0-9]")
_DATE = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID = re.compile(rb"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}")
_EMAIL = re.compile(rb"[^@ ]@[^@ ]+\.[^@ ]")
_PHONE = re.compile(rb"\+[0-9][0-9 ()-]{6,}")
_HEX = re.compile(rb"[0-9A-Fa-f]+")
_MIXED = re.compile(rb"[0-9]+[A-Za-z]")
_GLOB = re.compile(rb"[*\\]")


def shape_of(part: bytes) -> bytes:
    """Fold one part of a name: an identity becomes its kind in angle brackets, a word stays."""
    if part.isdigit():  # as most parts are: it saves the expressions
        return b"<n>"
    if part.isalpha():
        return part if len(part) <= LONGEST_WORD else b"<long>"
    if _UNPRINTABLE.search(part):
        return b"<bytes>"
    if _DIGITS.search(part):
        if kind := _identity(part):
            return kind
    elif _EMAIL.search(part):
        return b"<email>"
    if b" " in part:
        return b"<text>"
    if len(part) > LONGEST_WORD:
        return b"<long>"
    return _DIGITS.sub(b"<n>", _GLOB.sub(rb"\\\g<0>", part))


def _identity(part: bytes) -> bytes | None:
    """The kind of a part that is an identity, or holds an e-mail address; it has a digit."""
    if _UUID.fullmatch(part):
        return b"<uuid>"
    if _EMAIL.search(part):
        return b"<email>"
    if _PHONE.fullmatch(part):
        return b"<phone>"
    if len(part) >= HEX_LEAST and _HEX.fullmatch(part):
        return b"<hex>"
    return b"<id>" if len(_MIXED.findall(part)) >= MIXED_LEAST else None


class Folding:
    """The declared families and the separators between parts: one of each byte of `separators` (ASCII)."""

    def __init__(self, families: Sequence[KeyFamily] = (), separators: str = ":") -> None:
        self.separators = separators
        self.families = tuple(sorted(families, key=lambda family: (-len(family.prefix), family.prefix)))
        self.lead = f"*{separators[0]}"
        kinds = re.escape(separators.encode())
        self._head = re.compile(rb"[^%b]*[%b]" % (kinds, kinds))
        self._parts = re.compile(rb"[^%b{}]+" % kinds)
        self._cut = re.compile(rb"[^%b{}]+\Z" % kinds)
        prefixes = {family.prefix.encode(): family.pattern for family in self.families}
        self._heads = {prefix: name for prefix, name in prefixes.items() if self._head.fullmatch(prefix)}
        self._others = [(prefix, name) for prefix, name in prefixes.items() if prefix not in self._heads]
        self._any = re.compile(b"|".join(map(re.escape, prefixes)))
        self._family_of = {name: name for name in prefixes.values()}
        self._tenants = {
            family.pattern: re.compile(rb"(?:[^%b]*[%b]){%d}\{?([^%b{}]+)" % (kinds, kinds, family.tenant_part, kinds))
            for family in families
            if family.tenant_part is not None
        }
        self._family_of |= {self.lead + name: name for name in prefixes.values()}

    def pattern_of(self, key: bytes) -> str:
        """Give the pattern: a family's, `*:` and a family's where parts stand before it, or the folded name."""
        start = 1 if key.startswith(b"{") else 0
        if name := self._family_at(key, start):
            return name
        behind = self._behind_parts(key, start) if self._any.search(key) else None
        return self.lead + behind[0] if behind else self._fold(key)

    def tenant_of(self, key: bytes) -> bytes | None:
        """The tenant in a key's name, where its family has one."""
        start = 1 if key.startswith(b"{") else 0
        name = self._family_at(key, start)
        if not name:
            name, start = self._behind_parts(key, start) or ("", 0)
        tenant = self._tenants[name].match(key, start) if name in self._tenants else None
        return tenant[1] if tenant else None

    def family_of(self, pattern: str) -> str | None:
        """The declared pattern whose expectation holds for keys of this pattern."""
        return self._family_of.get(pattern)

    def parts(self, pattern: str) -> list[str]:
        """Cut a pattern, or a name, at its separators; they are left out."""
        return re.split(f"[{re.escape(self.separators)}]", pattern)

    def masked(self, key: bytes) -> bytes:
        """The name with its identities shortened or hidden, printable."""
        return self._parts.sub(lambda part: _mask(part[0]), key)

    def _behind_parts(self, key: bytes, start: int) -> tuple[str, int] | None:
        for _ in range(LEADING_PARTS):
            head = self._head.match(key, start)
            if head is None or head.end() == start + 1:
                return None
            start = head.end()
            if name := self._family_at(key, start):
                return name, start
        return None

    def _family_at(self, key: bytes, start: int) -> str | None:
        """The longest declared prefix that the name has here."""
        head = self._head.match(key, start)
        found = self._heads.get(head[0]) if head else None
        least = len(head[0]) if head and found else 0
        for prefix, name in self._others:
            if len(prefix) <= least:
                break
            if key.startswith(prefix, start):
                return name
        return found

    def _fold(self, key: bytes) -> str:
        if not key:
            return EMPTY
        looked_at = key if len(key) <= LONGEST else self._cut.sub(b"", key[:LONGEST])
        folded = self._parts.sub(lambda part: shape_of(part[0]), looked_at)
        return folded.decode() + ("*" if len(key) > LONGEST else "")


HIDDEN = (b"<bytes>", b"<email>", b"<phone>", b"<long>")
SHOWN_DIGITS = 6
SHOWN_WORD = 12
SHOWN_START = 4
SHOWN_END = 4


def _mask(part: bytes) -> bytes:
    """Room 101 and tenant 7 may be read; a session, a token, a phone number and an address may not."""
    shape = shape_of(part)
    if shape in HIDDEN:
        return shape
    if b" " in part:
        return b"<text>"
    if shape == b"<n>":
        return part if len(part) <= SHOWN_DIGITS else b"<n>"
    if shape == b"<uuid>":  # the beginning of a version 7 is the time, and the same for all of an hour
        return b"..." + part[-SHOWN_END:]
    if b"<" not in shape or _is_plain(part, shape):
        return part
    return part[:SHOWN_START].split(b"@")[0] + b"..."  # what looks like an address would be masked once more


def _is_plain(part: bytes, shape: bytes) -> bool:
    """A short word with a number, or a date; with more digits it may be a telephone number."""
    if len(part) > SHOWN_WORD or shape in (b"<hex>", b"<id>"):
        return False
    return len(_DIGIT.findall(part)) <= SHOWN_DIGITS or _DATE.fullmatch(part) is not None
