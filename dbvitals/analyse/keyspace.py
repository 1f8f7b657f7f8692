"""Makes the report of a keyspace: figures, findings and recommendations out of a snapshot."""

from collections.abc import Mapping, Sequence

from dbvitals.analyse.hit_ratio import MENDS, ratio_of
from dbvitals.analyse.key_patterns import OTHER, Folding
from dbvitals.analyse.key_tally import percentile
from dbvitals.analyse.keyspace_figures import (
    forbidden_keys,
    is_whole,
    keys_without_ttl,
    measured_bytes,
    memory_of,
    no_ttl_of,
    sizes_known,
    unaccounted_bytes,
    unseen_keys,
    was_emptied,
)
from dbvitals.analyse.keyspace_findings import keyspace_findings
from dbvitals.analyse.keyspace_recommend import recommend_cache
from dbvitals.analyse.keyspace_report import (
    SCHEMA_VERSION,
    CacheReport,
    CacheSummary,
    CoverageReport,
    LargeKey,
    Memory,
    NodeReport,
    PatternReport,
    TenantReport,
    Ttl,
    Window,
)
from dbvitals.analyse.keyspace_seen import Seen, distrust, is_there, look
from dbvitals.analyse.keyspace_thresholds import CacheThresholds
from dbvitals.analyse.keyspace_words import keys_in
from dbvitals.analyse.own_reads import last_counters
from dbvitals.expect import KeyFamily
from dbvitals.model import Skipped, Target, Tool
from dbvitals.snapshot_keyspace import KeyspaceSnapshot, NodeInfo, PatternLookups, PatternStats


def analyse_keyspace(
    snapshot: KeyspaceSnapshot,
    *,
    families: Sequence[KeyFamily],
    folding: Folding,
    thresholds: CacheThresholds,
    earlier: KeyspaceSnapshot | None = None,
    duration_seconds: float,
    tool_version: str,
) -> CacheReport:
    """Judge a snapshot; `earlier` is one of the same Redis, since which hits and misses are to be counted."""
    seen = look(snapshot, folding, thresholds, earlier, families)
    findings = keyspace_findings(seen)
    return CacheReport(
        schema_version=SCHEMA_VERSION,
        tool=Tool(name="dbvitals", version=tool_version),
        generated_at=snapshot.taken_at,
        duration_seconds=round(duration_seconds, 3),
        target=_target(snapshot),
        summary=_summary(seen),
        memory=_memory(seen),
        nodes=tuple(_node(node) for node in snapshot.nodes),
        counters=last_counters(snapshot),
        patterns=tuple(_pattern(seen, stats) for stats in seen.patterns),
        tenants=_tenants(seen),
        tenants_seen=max(snapshot.tenants_seen, len(snapshot.tenants)),
        findings=findings,
        recommendations=recommend_cache(findings),
        incomplete=(*snapshot.skipped, *_incomplete(seen)),
    )


def _target(snapshot: KeyspaceSnapshot) -> Target:
    """The node that was asked, or the first of those that a sentinel or a cluster named instead."""
    asked = [node for node in snapshot.nodes if node.name == snapshot.source]
    first = next(iter((*asked, *snapshot.nodes)), None)
    return Target(
        host=first.host if first else snapshot.source,
        port=first.port if first else 0,
        database=snapshot.database,
        user=snapshot.user,
        server_version=f"{first.product} {first.version}" if first else "",
        role=first.role if first else "primary",
    )


def _summary(seen: Seen) -> CacheSummary:
    traffic, primaries = seen.traffic, seen.primaries
    limits = [node.maxmemory for node in primaries]
    unknown = bool(traffic.unusable) and traffic.seconds is None
    return CacheSummary(
        hit_ratio=traffic.ratio,
        hit_ratio_interval=traffic.interval,
        hits=traffic.hits,
        misses=traffic.misses,
        window=Window(
            source=traffic.source,
            since=traffic.since,
            seconds=traffic.seconds,
            own_hits=traffic.own_hits,
            own_misses=traffic.own_misses,
            unusable=traffic.unusable,
        ),
        counters_of=tuple(one.node for one in seen.snapshot.before),
        total_keys=seen.keys,
        keys_without_ttl=keys_without_ttl(seen),
        evicted_keys=None if unknown else traffic.evicted_keys,
        expired_keys=None if unknown else traffic.expired_keys,
        used_memory_bytes=sum(node.used_memory for node in primaries),
        maxmemory_bytes=sum(limits) if all(limits) else 0,
        maxmemory_policy=", ".join(sorted({node.maxmemory_policy for node in primaries})) or "unknown",
        coverage=_coverage(seen),
    )


def _coverage(seen: Seen) -> CoverageReport:
    coverage = seen.snapshot.coverage
    return CoverageReport(
        mode=coverage.mode,
        method=coverage.method,
        keys_seen=coverage.keys_seen,
        keys_before=coverage.keys_before,
        keys_after=coverage.keys_after,
        gone=sum(stats.gone for stats in seen.patterns),
        confidence=_confidence(seen),
        trusted=is_whole(seen) and not distrust(seen),
        keys_from=tuple(node.name for node in seen.readers),
        error_percent=round(max(seen.errors.values()), 2) if seen.errors and not distrust(seen) else None,
        seconds=round(coverage.seconds, 3),
        seconds_on_server=None if coverage.seconds_on_server is None else round(coverage.seconds_on_server, 3),
        slowed_down=coverage.slowed_down,
    )


def _confidence(seen: Seen) -> str:
    if reason := distrust(seen):
        return f"not trustworthy: {reason}"
    coverage = seen.snapshot.coverage
    if coverage.ended != "complete":
        return "partial: the keys that were reached, which are no random choice"
    if coverage.nodes_missing:
        return "partial: a node is missing, with its keys"
    if forbidden := forbidden_keys(seen):
        return f"partial: {keys_in(forbidden)} may not be read by this login"
    if coverage.topology_changed:
        return "keys may have been seen twice or never, for slots moved or a node failed over meanwhile"
    if was_emptied(seen):
        return (
            f"the database was emptied meanwhile: {keys_in(coverage.keys_before)} before, {coverage.keys_after:,} after"
        )
    if coverage.mode == "rdb":
        return "every key of the dump, sizes by the lengths of their values"
    if unseen := unseen_keys(seen):
        return f"exact for what is alive; {keys_in(unseen)} more had expired, and were still in memory"
    return "estimate, 95 % interval" if coverage.mode == "sample" else "exact, but for what changed meanwhile"


def _memory(seen: Seen) -> Memory:
    return Memory(
        measured_bytes=measured_bytes(seen),
        keyspace_bytes=seen.keyspace_bytes,
        unaccounted_bytes=unaccounted_bytes(seen),
    )


def _node(node: NodeInfo) -> NodeReport:
    return NodeReport(
        name=node.name,
        role=node.role,
        version=f"{node.product} {node.version}",
        uptime_seconds=node.process_seconds,
        used_memory_bytes=node.used_memory,
        maxmemory_bytes=node.maxmemory,
        maxmemory_policy=node.maxmemory_policy,
        fragmentation_ratio=node.fragmentation_ratio,
    )


def _pattern(seen: Seen, stats: PatternStats) -> PatternReport:
    lookups = _lookups(seen.snapshot.lookups, stats)
    hits = [one.hits for one in lookups if one.hits is not None]
    counted = [(one.hits, one.misses) for one in lookups if one.hits is not None]
    judged = [one for one in seen.snapshot.never_read if one.pattern == stats.pattern and one.judged]
    memory_bytes = memory_of(seen, stats)
    return PatternReport(
        pattern=stats.pattern,
        description=_description(seen, stats),
        family=stats.family,
        count=round(seen.scale * stats.count),
        ttl=_ttl(stats),
        no_ttl=no_ttl_of(seen, stats),
        expiring_fields_percent=_percent(stats.expiring_fields, stats.types_known),
        memory_bytes=memory_bytes,
        memory_percent=None if memory_bytes is None else round(seen.share(memory_bytes), 2),
        memory_error_percent=_error(seen, stats),
        types=_shares(stats.types, stats.types_known),
        encodings=_shares(stats.encodings, stats.types_known),
        largest_keys=tuple(
            LargeKey(
                key=key.key,
                memory_bytes=key.memory_bytes,
                type=key.type,
                encoding=key.encoding,
                samples=key.samples,
                lopsided=key.lopsided,
            )
            for key in stats.largest
        ),
        sample_keys=stats.samples,
        no_ttl_keys=stats.staying,
        hit_ratio=ratio_of(counted),
        hits=sum(hits) if hits else None,
        misses=sum(one.misses for one in lookups) if lookups else None,
        counted_seconds=max((one.seconds for one in lookups if one.seconds is not None), default=None),
        never_read_percent=_percent(judged[0].never_read, judged[0].judged) if judged else None,
    )


def _error(seen: Seen, stats: PatternStats) -> float | None:
    return None if stats.pattern not in seen.errors or distrust(seen) else round(seen.errors[stats.pattern], 2)


def _lookups(lookups: Sequence[PatternLookups], stats: PatternStats) -> list[PatternLookups]:
    """What the service counted, else what notifications told."""
    own = [one for one in lookups if one.pattern == stats.pattern]
    return [one for one in own if one.source == "client"] or own


def _description(seen: Seen, stats: PatternStats) -> str:
    if stats.pattern == OTHER:
        return "everything else"
    family = seen.family(stats)
    if family is None:
        return "discovered" if is_there(stats) else "no keys, but asked for"
    return family.description if stats.pattern == family.pattern else f"{family.description}, behind other parts"


def _ttl(stats: PatternStats) -> Ttl:
    expiring = stats.ttl_known - stats.no_ttl
    if not expiring:
        return Ttl(avg=None, min=None, max=None, p50=None, p99=None)
    least, most = stats.ttl_min_ms or 0, stats.ttl_max_ms or 0
    middle, last = (percentile(stats.ttl_buckets, share) or 0.0 for share in (0.5, 0.99))
    return Ttl(
        avg=round(stats.ttl_sum_ms / expiring / 1000, 3),
        min=least / 1000,
        max=most / 1000,
        p50=round(min(max(middle, least), most) / 1000, 3),
        p99=round(min(max(last, least), most) / 1000, 3),
    )


def _tenants(seen: Seen) -> tuple[TenantReport, ...]:
    known = sizes_known(seen)
    return tuple(
        TenantReport(
            tenant=share.tenant,
            keys=round(seen.scale * share.keys),
            memory_bytes=round(seen.scale * share.memory_bytes) if known else None,
            memory_percent=round(seen.share(seen.scale * share.memory_bytes), 2) if known else None,
        )
        for share in seen.snapshot.tenants
    )


def _incomplete(seen: Seen) -> list[Skipped]:
    """What the figures themselves tell of what was not seen."""
    missing = []
    if seen.snapshot.coverage.ended == "max-seconds":
        missing.append(
            Skipped(part="rest of the keyspace", why="--max-seconds was over", mend="give it more time, or take --fast")
        )
    if forbidden := forbidden_keys(seen):
        missing.append(
            Skipped(
                part=keys_in(forbidden),
                why="the login may see their names, but not ask for them",
                mend="give it the pattern %R~*; see --print-acl",
            )
        )
    again = MENDS[seen.traffic.source]
    missing += [Skipped(part="hits and misses of a node", why=reason, mend=again) for reason in seen.traffic.unusable]
    return missing


def _shares(counts: Mapping[str, int], total: int) -> dict[str, float]:
    return {name: round(number / total, 4) for name, number in sorted(counts.items())} if total else {}


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 2) if whole else 0.0
