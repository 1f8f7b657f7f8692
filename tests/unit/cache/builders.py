"""Snapshots of keyspaces, made by hand."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from app.expectations import FAMILIES
from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.key_tally import GONE, NO_TTL, PatternTally
from dbvitals.analyse.keyspace import analyse_keyspace
from dbvitals.analyse.keyspace_report import CacheReport
from dbvitals.analyse.keyspace_thresholds import CacheThresholds
from dbvitals.expect import KeyFamily
from dbvitals.model import Finding
from dbvitals.snapshot_keyspace import (
    KEYSPACE_VERSION,
    Counters,
    Coverage,
    DatabaseInfo,
    KeyspaceSnapshot,
    Looks,
    NodeInfo,
    PatternStats,
)

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
NODE = "redis.example:6379"


def stats(
    pattern: str, ttls_ms: Iterable[int] = (), *, memory_bytes: int = 100, family: str | None = None, **changes: Any
) -> PatternStats:
    """A pattern of keys with these times to live (-1: none), each of so many bytes."""
    tally = PatternTally()
    add(tally, *ttls_ms, memory_bytes=memory_bytes)
    declared = {one.pattern for one in FAMILIES}
    found = tally.freeze(pattern, family or (pattern if pattern in declared else None))
    return structs.replace(found, **changes)


def add(tally: PatternTally, *ttls_ms: int, memory_bytes: int = 100) -> None:
    """Add keys with these times to live, as PTTL tells them."""
    there = [ttl_ms for ttl_ms in ttls_ms if ttl_ms != GONE]
    tally.gone += len(ttls_ms) - len(there)
    tally.count += len(there)
    tally.ttl_known += len(there)
    tally.no_ttl += there.count(NO_TTL)
    tally.add_expiries([ttl_ms for ttl_ms in there if ttl_ms != NO_TTL])
    tally.memory_known += len(there)
    tally.memory_bytes += len(there) * memory_bytes
    tally.no_ttl_bytes += there.count(NO_TTL) * memory_bytes


def node(**changes: Any) -> NodeInfo:
    return structs.replace(
        NodeInfo(
            name=NODE,
            host="redis.example",
            port=6379,
            role="primary",
            product="Valkey",
            version="9.1.2",
            mode="standalone",
            process_seconds=86_400,
            used_memory=10_000_000,
            peak_memory=12_000_000,
            keyspace_bytes=None,
            maxmemory=1_000_000_000,
            maxmemory_policy="allkeys-lru",
            fragmentation_ratio=1.1,
            fragmentation_bytes=1_000_000,
            expired_stale_percent=0.0,
            lag_bytes=None,
            lag_seconds=None,
            databases=(DatabaseInfo(index=0, keys=100, expires=50),),
            config={"hash-max-listpack-value": "64"},
        ),
        **changes,
    )


def counters(**changes: Any) -> Counters:
    return structs.replace(
        Counters(
            node=NODE,
            run_id="a",
            at=NOW,
            uptime_seconds=86_400,
            hits=0,
            misses=0,
            evicted_keys=0,
            expired_keys=0,
            looks=Looks(),
        ),
        **changes,
    )


def snapshot(*patterns: PatternStats, **changes: Any) -> KeyspaceSnapshot:
    seen = sum(one.count for one in patterns)
    made = KeyspaceSnapshot(
        snapshot_version=KEYSPACE_VERSION,
        source=NODE,
        database="0",
        user="default",
        taken_at=NOW,
        nodes=(node(),),
        coverage=Coverage(
            mode="full",
            method="script",
            ended="complete",
            keys_seen=seen,
            keys_before=seen,
            keys_after=seen,
            seconds=1.5,
            seconds_on_server=0.7,
        ),
        patterns=tuple(sorted(patterns, key=lambda one: one.pattern)),
        before=(counters(),),
        after=(counters(),),
    )
    return structs.replace(made, **changes)


def report(
    seen: KeyspaceSnapshot,
    *,
    families: tuple[KeyFamily, ...] = FAMILIES,
    earlier: KeyspaceSnapshot | None = None,
    thresholds: CacheThresholds | None = None,
) -> CacheReport:
    return analyse_keyspace(
        seen,
        families=families,
        folding=Folding(families),
        thresholds=thresholds or CacheThresholds(),
        earlier=earlier,
        duration_seconds=2.0,
        tool_version="0",
    )


def found(rule: str, seen: KeyspaceSnapshot, **options: Any) -> list[Finding]:
    """The findings of one rule."""
    return [finding for finding in report(seen, **options).findings if finding.rule == rule]
