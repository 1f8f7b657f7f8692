"""Folds the name of a Redis key into its pattern: the declared family, or what is left without identities."""

import functools
import re
from collections.abc import Iterable, Sequence

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

REMEMBERED = 4096
"""Names, without their digits, of which the pattern is kept: to find it again takes fifteen times as long."""

_SAME_DIGITS = bytes.maketrans(b"123456789", b"000000000")
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


_KINDS = re.compile(r"<(?:n|uuid|hex|email|phone|bytes|text|long|id|empty)>")
_LETTER = re.compile(r"[A-Za-z]")


def without_kinds(part: str) -> str:
    """What is the key's own in a part of a pattern."""
    return _KINDS.sub("", part)


def is_word(part: str) -> bool:
    """Whether a part of a pattern has letters of the key's own: `room<n>` has, `<n>-<n>` has none."""
    return _LETTER.search(without_kinds(part)) is not None


Pieces = tuple[str, ...]
"""The parts of a pattern or a name, and the separators after them, in turn, so that they can be joined again."""


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
        self._declared = {part for prefix in prefixes for part in self._parts.findall(prefix)}
        self._others = [(prefix, name) for prefix, name in prefixes.items() if prefix not in self._heads]
        self._any = re.compile(b"|".join(map(re.escape, prefixes)))
        self._family_of = {name: name for name in prefixes.values()}
        self._tenants = {
            family.pattern: re.compile(rb"(?:[^%b]*[%b]){%d}\{?([^%b{}]+)" % (kinds, kinds, family.tenant_part, kinds))
            for family in families
            if family.tenant_part is not None
        }
        self._digits = None if any(map(_DIGIT.search, prefixes)) else _SAME_DIGITS
        self._remembered = functools.lru_cache(REMEMBERED)(self._pattern_of)
        self._family_of |= {self.lead + name: name for name in prefixes.values()}

    def pattern_of(self, key: bytes) -> str:
        """Give the pattern: a family's, `*:` and a family's where parts stand before it, or the folded name.

        Names that differ in digits alone have the same one, unless a declared prefix has digits itself.
        """
        if len(key) > LONGEST:
            return self._pattern_of(key)
        return self._remembered(key.translate(self._digits))

    def _pattern_of(self, key: bytes) -> str:
        start = 1 if key.startswith(b"{") else 0
        if name := self._family_at(key, start):
            return name
        behind = self._behind_parts(key, start) if self._any.search(key) else None
        return self.lead + behind[0] if behind else self._fold(key)

    def tenant_of(self, key: bytes, pattern: str) -> bytes | None:
        """The tenant in the name of a key of a pattern (`pattern_of`), where its family has one.

        Behind other parts it may be there as well (`prod:session:hotel7:…`), or be the last of these parts instead
        (`hotel7:session:…`): so it is where the part in its place is all that is left of the name.
        """
        start = 1 if key.startswith(b"{") else 0
        if family := self._tenants.get(pattern):
            tenant = family.match(key, start)
            return tenant[1] if tenant else None
        name, start = self._behind_parts(key, start) or ("", 0)
        if name not in self._tenants or pattern != self.lead + name:
            return None
        tenant, before = self._tenants[name].match(key, start), self._parts.findall(key[:start])
        if tenant and tenant.end() < len(key.rstrip(b"}")):
            return tenant[1]
        return before[-1] if before else None

    def tells_tenants(self, pattern: str) -> bool:
        """Whether the names of a pattern's keys have a tenant in them."""
        return self._family_of.get(pattern) in self._tenants

    def family_of(self, pattern: str) -> str | None:
        """The declared pattern whose expectation holds for keys of this pattern."""
        return self._family_of.get(pattern)

    def heads(self) -> tuple[dict[bytes, str], bytes]:
        """The families that are told by all up to the first separator, as most keys are; and the separator.

        `pattern_of` says the same of their keys, in five times the time.
        """
        if len(self.separators) != 1:
            return {}, b":"
        prefixes = [family.prefix for family in self.families]
        heads = {
            family.prefix.encode(): family.pattern
            for family in self.families
            if family.prefix.find(self.separators) == len(family.prefix) - 1 and _stands_alone(family.prefix, prefixes)
        }
        return heads, self.separators.encode()

    def parts(self, pattern: str) -> list[str]:
        """Cut a pattern, or a name, at its separators; they are left out."""
        return re.split(f"[{re.escape(self.separators)}]", pattern)

    def pieces(self, pattern: str) -> Pieces:
        """Cut a pattern, or a name, at its separators, which stay: every other piece is a part."""
        return tuple(re.split(f"([{re.escape(self.separators)}])", pattern))

    def masked(self, key: bytes) -> bytes:
        """The name as far as it is looked at, its identities shortened or hidden, printable.

        A family declares no word of its keys but those before the `*`: what stands there may be somebody's name.
        """
        mask = self._mask_words if self.pattern_of(key) in self._family_of else _mask
        shown = self._parts.sub(lambda part: mask(part[0]), self._looked_at(key))
        return shown + (b"*" if len(key) > LONGEST else b"")

    def _mask_words(self, part: bytes) -> bytes:
        return _mask(part) if part in self._declared or not is_word(shape_of(part).decode()) else b"*"

    def _looked_at(self, key: bytes) -> bytes:
        return key if len(key) <= LONGEST else self._cut.sub(b"", key[:LONGEST])

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
        folded = self._parts.sub(lambda part: shape_of(part[0]), self._looked_at(key))
        return folded.decode() + ("*" if len(key) > LONGEST else "")


def _stands_alone(prefix: str, prefixes: Iterable[str]) -> bool:
    """Whether no other prefix begins with this one, or this one with it."""
    return sum(one.startswith(prefix) or prefix.startswith(one) for one in prefixes) == 1


HIDDEN = (b"<bytes>", b"<email>", b"<phone>", b"<long>")
SHOWN_DIGITS = 4
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
