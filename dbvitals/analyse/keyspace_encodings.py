"""The rule about small collections in an encoding for large ones, which costs several times their data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dbvitals.analyse.keyspace_seen import Seen
from dbvitals.analyse.keyspace_words import keys, keys_of, setting
from dbvitals.model import Action, Confidence, Evidence, Finding, Severity
from dbvitals.snapshot_keyspace import PatternStats

_LARGE = {"hash/hashtable": "hash", "set/hashtable": "set", "zset/skiplist": "zset"}
"""Encodings for large collections, and their type."""

_LONG_VALUE = 256
"""Bytes that a value may have in a compact encoding before looking through it costs more than it saves."""

_LEAST_ENTRY = 16
"""Bytes: no entry of an encoding for large collections takes less, so a collection has no more of them than that."""

_ENTRIES = 128
"""Entries of the compact encoding where its limit is not known: Redis's default, or a quarter of it."""

_MANY_TYPES = 16
"""Fewer keys of known type say too little about the encoding of a pattern."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """The settings beyond which a collection of one type is no longer compact; None is not known."""

    kind: str
    value_name: str | None
    value: str
    entries_name: str | None
    entries: str

    @property
    def most_entries(self) -> int:
        """How many entries the compact encoding may have."""
        return int(self.entries) if self.entries.isdigit() else _ENTRIES


def encoding_findings(seen: Seen, stats: PatternStats) -> Iterator[Finding]:
    """Judge the encodings of a pattern."""
    if stats.types_known < _MANY_TYPES or not stats.memory_known:
        return
    average = stats.memory_bytes / stats.memory_known
    for encoding, kind in _LARGE.items():
        share = stats.encodings.get(encoding, 0) / stats.types_known
        limits = _limits(kind, seen.primaries[0].config if seen.primaries else {})
        number = seen.scale * stats.count * share - (_with_expiring_fields(seen) if kind == "hash" else 0)
        few = number < seen.scale * stats.count / 2
        if few or average >= seen.thresholds.encoding_bytes or (kind == "set" and limits.value_name is None):
            continue
        many = average >= _LEAST_ENTRY * limits.most_entries
        yield Finding(
            rule="RED011",
            severity=Severity.INFO,
            subject=keys_of(stats.pattern),
            message=f"small collections of type {kind} ({average:.0f} bytes on average) in the encoding {encoding}: "
            f"{_reason(limits, many=many)} the compact one",
            confidence=Confidence.LIKELY,
            evidence=(
                keys(number),
                Evidence(name="memory", value=round(number * average), unit="bytes"),
            ),
            action=_compact(limits, many=many),
        )


def _with_expiring_fields(seen: Seen) -> int:
    """Hashes of which fields expire, by INFO: Valkey has no compact encoding for these."""
    return sum(base.volatile_items for node in seen.readers for base in node.databases)


def _limits(kind: str, config: Mapping[str, str]) -> _Limits:
    """By their names now, and before 7.0. Before 7.2 a set has none: there only a set of whole numbers is compact."""

    def known(what: str) -> tuple[str | None, str]:
        names = (f"{kind}-max-listpack-{what}", f"{kind}-max-ziplist-{what}")
        name = next((name for name in names if name in config), None)
        return name, config.get(name or "", "")

    (value_name, value), (entries_name, entries) = known("value"), known("entries")
    return _Limits(kind=kind, value_name=value_name, value=value, entries_name=entries_name, entries=entries)


def _reason(limits: _Limits, *, many: bool) -> str:
    value = f"a value longer than {limits.value_name} {limits.value}" if limits.value_name else ""
    value = value or "a value longer than its limit"
    if not many:
        return f"{value} keeps them from"
    more = f"more values than {limits.entries_name} {limits.entries}" if limits.entries_name else "more than its limit"
    return f"{value}, or {more}, keep them from"


def _compact(limits: _Limits, *, many: bool) -> Action:
    """What is proposed is never below what is set, and only where it can be no other limit."""
    if many:
        return setting(
            "look which limit one of them is above, and raise it a little, for keys that are written from now on",
            f"CONFIG GET {limits.kind}-max-*",
        )
    if limits.value_name is None or not limits.value.isdigit():
        return setting(
            "ask for the limit; raise it a little, or shorten the values", f"CONFIG GET {limits.kind}-max-*-value"
        )
    return setting(
        "raise the limit a little, for keys that are written from now on, or shorten the values",
        f"CONFIG SET {limits.value_name} {max(_LONG_VALUE, 2 * int(limits.value))}",
        undo=f"CONFIG SET {limits.value_name} {limits.value}",
        takes="effect at once, on keys that are written from then on",
    )
