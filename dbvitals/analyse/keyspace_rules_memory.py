"""Rules about memory: giants, lopsided shares, encodings that cost, and what nobody reads."""

from collections.abc import Iterator

from dbvitals.analyse.keyspace_seen import Seen
from dbvitals.analyse.keyspace_words import keys, keys_of, server, setting
from dbvitals.model import Action, Confidence, Evidence, Finding, Severity
from dbvitals.snapshot_keyspace import PatternStats

_COMPACT = {
    "hash/hashtable": ("hash", ("hash-max-listpack-value", "hash-max-ziplist-value")),
    "set/hashtable": ("set", ("set-max-listpack-value",)),
    "zset/skiplist": ("zset", ("zset-max-listpack-value", "zset-max-ziplist-value")),
}
"""Encodings for large collections, and the settings that decide which value is too long for the compact one (now, and
before 7.0). Before 7.2 a set has none: there only a set of whole numbers is compact."""

_LONG_VALUE = 256
"""Bytes that a value may have in a compact encoding before looking through it costs more than it saves."""

_MANY_TYPES = 16
"""Fewer keys of known type say too little about the encoding of a pattern."""


def memory_findings(seen: Seen) -> Iterator[Finding]:
    """Judge sizes."""
    for stats in seen.patterns:
        yield from _giants(seen, stats)
        yield from _encodings(seen, stats)
    yield from _tenant(seen)
    yield from _unaccounted(seen)
    yield from _never_read(seen)
    yield from _missed(seen)


def _giants(seen: Seen, stats: PatternStats) -> Iterator[Finding]:
    if not stats.largest:
        return
    limits, largest = seen.thresholds, stats.largest[0]
    share = seen.share(largest.memory_bytes)
    if largest.memory_bytes < limits.giant_bytes:
        return
    worst = Severity.HIGH if share >= limits.giant_percent else Severity.MEDIUM
    yield Finding(
        rule="RED009",
        severity=worst,
        subject=keys_of(stats.pattern),
        message=f"a single key, {largest.key}, holds {_size(largest.memory_bytes)}: reading, copying or deleting it "
        "keeps every other client waiting",
        evidence=(
            Evidence(name="memory", value=largest.memory_bytes, unit="bytes"),
            Evidence(name="share of all keys", value=round(share, 1), unit="percent"),
            Evidence(name="type", value=largest.type),
        ),
        action=setting(
            "split it over many keys; remove it with UNLINK, never DEL; its name in full:", "dbvitals cache --show-keys"
        ),
    )


def _encodings(seen: Seen, stats: PatternStats) -> Iterator[Finding]:
    """A small collection in an encoding for large ones costs several times its data."""
    if stats.types_known < _MANY_TYPES or not stats.memory_known:
        return
    average = stats.memory_bytes / stats.memory_known
    config = seen.primaries[0].config if seen.primaries else {}
    for encoding, (kind, names) in _COMPACT.items():
        share = stats.encodings.get(encoding, 0) / stats.types_known
        name = next((name for name in names if name in config), None)
        if share < 0.5 or average >= seen.thresholds.encoding_bytes or (kind == "set" and name is None):
            continue
        limit = f"{name} {config[name]}" if name else "its limit"
        yield Finding(
            rule="RED011",
            severity=Severity.INFO,
            subject=keys_of(stats.pattern),
            message=f"small collections of type {kind} ({average:.0f} bytes on average) in the encoding {encoding}: "
            f"a value longer than {limit} keeps them from the compact one",
            confidence=Confidence.LIKELY,
            evidence=(
                keys(seen.scale * stats.count * share),
                Evidence(name="memory", value=round(seen.scale * stats.memory_bytes * share), unit="bytes"),
            ),
            action=_longer_values(kind, name, config.get(name or "", "")),
        )


def _longer_values(kind: str, name: str | None, value: str) -> Action:
    """What is proposed is never below what is set."""
    if name is None or not value.isdigit():
        return setting("ask for the limit; raise it a little, or shorten the values", f"CONFIG GET {kind}-max-*-value")
    return setting(
        "raise the limit a little, or shorten the values",
        f"CONFIG SET {name} {max(_LONG_VALUE, 2 * int(value))}",
        undo=f"CONFIG SET {name} {value}",
    )


def _tenant(seen: Seen) -> Iterator[Finding]:
    shares = seen.snapshot.tenants
    if len(shares) < 2:
        return
    largest = max(shares, key=lambda share: share.memory_bytes)
    percent = seen.share(seen.scale * largest.memory_bytes)
    if percent >= seen.thresholds.tenant_percent:
        yield Finding(
            rule="RED012",
            severity=Severity.MEDIUM,
            subject=server(seen.snapshot.source),
            message=f"one tenant, {largest.tenant}, has {percent:.0f} % of the memory of all keys",
            evidence=(
                keys(seen.scale * largest.keys),
                Evidence(name="memory", value=round(seen.scale * largest.memory_bytes), unit="bytes"),
            ),
            action=setting(
                "limit what a tenant may cache, or give it a Redis of its own; its name in full:",
                "dbvitals cache --show-keys",
            ),
        )


def _unaccounted(seen: Seen) -> Iterator[Finding]:
    stated = seen.keyspace_bytes
    complete = seen.snapshot.coverage.ended == "complete" and seen.snapshot.coverage.mode == "full"
    measured = all(stats.memory_known == stats.count for stats in seen.patterns)
    if not stated or not complete or not measured:
        return
    missing, limits = stated - seen.memory_bytes, seen.thresholds
    bookkeeping = max(limits.unaccounted_min_bytes, 100 * seen.keys)
    if missing > bookkeeping and 100 * missing >= limits.unaccounted_percent * stated:
        yield Finding(
            rule="RED010",
            severity=Severity.INFO,
            subject=server(seen.snapshot.source),
            message=f"the server says that its keys take {_size(stated)}, measured are {_size(seen.memory_bytes)}: "
            "collections whose first elements are small and whose later ones are large, or buffers",
            confidence=Confidence.LIKELY,
            evidence=(Evidence(name="not accounted for", value=missing, unit="bytes"),),
            action=setting("read the dump: it has every element", "dbvitals cache --rdb dump.rdb"),
        )


def _never_read(seen: Seen) -> Iterator[Finding]:
    for one in seen.snapshot.never_read:
        family = seen.families.get(seen.folding.family_of(one.pattern) or "")
        if family and family.kind != "cache":  # a session or a counter is written for the case that it is needed
            continue
        percent = 100 * one.never_read / one.judged if one.judged else 0.0
        if percent >= seen.thresholds.never_read_percent and one.judged >= seen.thresholds.ttl_min_keys:
            yield Finding(
                rule="RED021",
                severity=Severity.MEDIUM,
                subject=keys_of(one.pattern),
                message=f"{percent:.0f} % of its keys were written and never read since",
                confidence=Confidence.ESTIMATE,
                evidence=(keys(one.judged), Evidence(name="never read", value=one.never_read, unit="keys")),
                action=setting(
                    "cache on the second request, or leave it out of the cache", family.setting if family else ""
                ),
            )


def _missed(seen: Seen) -> Iterator[Finding]:
    """The service's own counters: what no server can tell."""
    for one in seen.snapshot.lookups:
        family = seen.families.get(one.pattern)
        reads = (one.hits or 0) + one.misses
        if one.hits is None or reads < seen.thresholds.hit_ratio_min_reads or (family and family.kind != "cache"):
            continue
        percent = 100 * one.hits / reads
        if percent < seen.thresholds.hit_ratio_min_percent:
            poor = percent < seen.thresholds.hit_ratio_poor_percent
            yield Finding(
                rule="RED022",
                severity=Severity.HIGH if poor else Severity.MEDIUM,
                subject=keys_of(one.pattern),
                message=f"{percent:.0f} % of the service's {reads:,} looks found a value, "
                f"{seen.thresholds.hit_ratio_min_percent:.0f} % is the target",
                evidence=(
                    Evidence(name="hit ratio", value=round(percent, 1), unit="percent"),
                    Evidence(name="misses", value=one.misses, unit="reads"),
                ),
                action=setting(
                    "let it live longer, or fill it before it is asked for", family.setting if family else ""
                ),
            )


def _size(number: int) -> str:
    return f"{number / 1024 / 1024:,.1f} MiB"
