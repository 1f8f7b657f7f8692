"""Rules about memory: giants, lopsided shares, encodings that cost, and what nobody reads."""

import re
from collections.abc import Iterator

from dbvitals.analyse.keyspace_encodings import encoding_findings
from dbvitals.analyse.keyspace_figures import unaccounted_bytes, unseen_keys
from dbvitals.analyse.keyspace_seen import Seen
from dbvitals.analyse.keyspace_words import gibibytes, keys, keys_of, server, setting
from dbvitals.analyse.never_read import TOLERANCE
from dbvitals.model import Confidence, Evidence, Finding, Severity
from dbvitals.snapshot_keyspace import KeySize, PatternStats

_BOOKKEEPING = 100
"""Bytes that hash tables and a TTL take beside a key: 10 to 70 were measured."""

_EXACT = re.compile(r"string/.*|.*/(listpack|listpackex|ziplist|intset)")
"""Types and encodings of which MEMORY USAGE takes no sample."""

_DRAINED = {"list": "LTRIM", "stream": "XTRIM … MAXLEN"}
"""Types that are queues, and what bounds each."""


def memory_findings(seen: Seen) -> Iterator[Finding]:
    """Judge sizes."""
    for stats in seen.patterns:
        yield from _giants(seen, stats)
        yield from encoding_findings(seen, stats)
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
    urgent = share >= limits.giant_percent and max(largest.memory_bytes, seen.memory_bytes) >= limits.giant_high_bytes
    few = ", most of it in few of its elements" if largest.lopsided else ""
    yield Finding(
        rule="RED009",
        severity=Severity.HIGH if urgent else Severity.MEDIUM,
        subject=keys_of(stats.pattern),
        message=f"a single key, {largest.key}, holds {gibibytes(largest.memory_bytes)}{few}: reading, copying or "
        "deleting it keeps every other client waiting",
        evidence=(
            Evidence(name="memory", value=largest.memory_bytes, unit="bytes"),
            Evidence(name="share of all keys", value=round(share, 1), unit="percent"),
            Evidence(name="type", value=largest.type),
        ),
        action=setting(
            f"{_smaller(largest)}; remove it with UNLINK, never DEL; its name in full:", "dbvitals cache --show-keys"
        ),
    )


def _smaller(key: KeySize) -> str:
    if key.type in _DRAINED:
        return f"see why nobody takes its entries out, or bound it ({_DRAINED[key.type]})"
    return "keep its largest elements elsewhere" if key.lopsided else "split it over many keys"


def _tenant(seen: Seen) -> Iterator[Finding]:
    shares, limits = seen.snapshot.tenants, seen.thresholds
    if len(shares) < 2:
        return
    largest = max(shares, key=lambda share: share.memory_bytes)
    number = seen.scale * largest.memory_bytes
    percent, even = seen.share(number), 100 / len(shares)
    if percent < max(limits.tenant_percent, limits.tenant_factor * even) or number < limits.tenant_min_bytes:
        return
    yield Finding(
        rule="RED012",
        severity=Severity.MEDIUM,
        subject=server(seen.snapshot.source),
        message=f"one tenant, {largest.tenant}, has {percent:.0f} % of the memory of all keys",
        evidence=(
            keys(seen.scale * largest.keys),
            Evidence(name="memory", value=round(number), unit="bytes"),
        ),
        action=setting(
            "limit what a tenant may cache, or give it a Redis of its own; its name in full:",
            "dbvitals cache --show-keys",
        ),
    )


def _unaccounted(seen: Seen) -> Iterator[Finding]:
    """What was measured, held against what the server says.

    A sample of a lopsided collection tells too little of it, or too much. Nothing is said where keys that expired are
    still in memory: these are what is missing.
    """
    rest, stated = unaccounted_bytes(seen), seen.keyspace_bytes
    if rest is None or stated is None or seen.snapshot.coverage.mode != "full" or unseen_keys(seen):
        return
    least = max(seen.thresholds.unaccounted_min_bytes, _inexact(seen))
    used = sum(node.used_memory for node in seen.readers)
    if rest - _BOOKKEEPING * seen.keys > least:
        what = f"says that its keys take {gibibytes(stated)}"
        why = "collections whose first elements are small and whose later ones are large, or buffers"
    elif seen.memory_bytes - used - _born(seen) > least:  # what its buffers have, it does not know to the moment
        what = f"has {gibibytes(used)} in use"
        why = "collections of which a few large elements stand for all, or streams with pending entries, which Redis "
        why += "itself measures too large"
    else:
        return
    yield Finding(
        rule="RED010",
        severity=Severity.INFO,
        subject=server(seen.snapshot.source),
        message=f"the server {what}, measured are {gibibytes(seen.memory_bytes)}: {why}",
        confidence=Confidence.LIKELY,
        evidence=(Evidence(name="not accounted for", value=rest, unit="bytes"),),
        action=setting("read the dump: it has every element", "dbvitals cache --rdb dump.rdb"),
    )


def _inexact(seen: Seen) -> float:
    """Bytes by which the sum may be wrong although every collection is what its first elements tell."""
    limits, exact = seen.thresholds, sum(stats.memory_bytes * _exact_share(stats) for stats in seen.patterns)
    sampled = seen.memory_bytes - exact
    return (limits.unaccounted_exact_percent * exact + limits.unaccounted_percent * sampled) / 100


def _exact_share(stats: PatternStats) -> float:
    """The share of its keys that MEMORY USAGE measures whole; of types that nobody has asked for, none."""
    whole = (number for name, number in stats.encodings.items() if _EXACT.fullmatch(name))
    return sum(whole) / stats.types_known if stats.types_known else 0.0


def _born(seen: Seen) -> float:
    """Bytes of keys that came after the server had said what it has in use."""
    coverage = seen.snapshot.coverage
    return max(0, coverage.keys_after - coverage.keys_before) * seen.memory_bytes / max(1, seen.keys)


def _never_read(seen: Seen) -> Iterator[Finding]:
    for one in seen.snapshot.never_read:
        family = seen.families.get(seen.folding.family_of(one.pattern) or "")
        if family and family.kind != "cache":  # a session or a counter is written for the case that it is needed
            continue
        percent = 100 * one.never_read / one.judged if one.judged else 0.0
        if percent >= seen.thresholds.never_read_percent and one.judged >= seen.thresholds.ttl_min_keys:
            yield Finding(
                rule="RED021",
                severity=Severity.INFO,
                subject=keys_of(one.pattern),
                message=f"{percent:.0f} % of its keys were not read later than {TOLERANCE:.0f} s after they were "
                "written",
                confidence=Confidence.ESTIMATE,
                evidence=(keys(one.judged), Evidence(name="not read later", value=one.never_read, unit="keys")),
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
