"""Rules about the server: hit ratio, evictions and their policy, fragmentation, lag, what lies in other databases."""

from collections.abc import Iterator

from dbvitals.analyse.keyspace_seen import Seen
from dbvitals.analyse.keyspace_words import counted_for, gibibytes, keys, keys_in, server, setting, since
from dbvitals.model import Action, Confidence, Evidence, Finding, Severity
from dbvitals.snapshot_keyspace import NodeInfo, PatternStats

_PRECIOUS = ("lock", "state")
"""Kinds of keys that must not be evicted."""

_HEADROOM = 1.5
"""Times what was in use at most: room for a day that is busier, and for what a copy in the background takes."""

_MIB = 1024 * 1024


def server_findings(seen: Seen) -> Iterator[Finding]:
    """Judge the nodes, and what their counters say."""
    yield from _hit_ratio(seen)
    yield from _other_databases(seen)
    for node in seen.primaries:
        yield from _evictions(seen, node)
        yield from _policy(seen, node)
        yield from _fragmentation(seen, node)
        yield from _stale(seen, node)
    for node in seen.snapshot.nodes:
        yield from _lag(seen, node)


def _hit_ratio(seen: Seen) -> Iterator[Finding]:
    traffic, limits = seen.traffic, seen.thresholds
    if traffic.ratio is None or traffic.interval is None or traffic.hits + traffic.misses < limits.hit_ratio_min_reads:
        return
    if 100 * traffic.interval[1] >= limits.hit_ratio_min_percent:
        return
    percent = 100 * traffic.ratio
    kinds = sorted({family.kind for family in seen.families.values()} - {"cache"})
    others = f"; reads of {', '.join(kinds)} keys count as well, and miss when all is well" if kinds else ""
    yield Finding(
        rule="RED001",
        severity=Severity.HIGH if percent < limits.hit_ratio_poor_percent else Severity.MEDIUM,
        subject=server(seen.snapshot.source),
        message=f"{percent:.1f} % of all reads {since(traffic.source, traffic.seconds)} found their key, "
        f"{limits.hit_ratio_min_percent:.0f} % is the target{others}",
        confidence=Confidence.LIKELY if kinds else Confidence.CERTAIN,
        evidence=(
            Evidence(name="hit ratio", value=round(percent, 1), unit="percent"),
            Evidence(name="hits", value=traffic.hits, unit="reads"),
            Evidence(name="misses", value=traffic.misses, unit="reads"),
            *counted_for(traffic.seconds),
        ),
        action=setting(
            "let stable data live longer, precache what is asked for often, look at what is invalidated; which keys "
            "those are that are not found:",
            "dbvitals cache --keymiss 60s",
        ),
    )


def _evictions(seen: Seen, node: NodeInfo) -> Iterator[Finding]:
    evicted = seen.traffic.evicted_keys
    if not evicted or node is not seen.primaries[0]:
        return
    yield Finding(
        rule="RED003",
        severity=Severity.HIGH if _endangered(seen, node) else Severity.MEDIUM,
        subject=server(seen.snapshot.source),
        message=f"{keys_in(evicted)} evicted {since(seen.traffic.source, seen.traffic.seconds)} because memory was "
        f"full ({node.maxmemory_policy})",
        evidence=(
            Evidence(name="evicted", value=evicted, unit="keys"),
            Evidence(name="maxmemory", value=node.maxmemory, unit="bytes"),
            *counted_for(seen.traffic.seconds),
        ),
        action=_limit("give it more memory, where the machine has it, or let the largest patterns live shorter", node),
    )


def _policy(seen: Seen, node: NodeInfo) -> Iterator[Finding]:
    if seen.snapshot.coverage.mode == "rdb":  # a dump does not hold the server's limits
        return
    if node.maxmemory == 0:
        yield Finding(
            rule="RED019",
            severity=Severity.INFO,
            subject=server(node.name),
            message="maxmemory is 0: nothing is ever evicted, and the system ends the server when its memory is full",
            evidence=(
                Evidence(name="used memory", value=node.used_memory, unit="bytes"),
                Evidence(name="at most", value=_peak(node), unit="bytes"),
            ),
            action=_limit(
                f"set a limit below the machine's memory; this one is at least {_HEADROOM} times the "
                f"{gibibytes(_peak(node))} that it had in use at most",
                node,
            ),
        )
        return
    full = 100 * node.used_memory / node.maxmemory
    yield from _cannot_evict(seen, node, full)
    yield from _evicts_the_wrong(seen, node, full)


def _peak(node: NodeInfo) -> int:
    return max(node.peak_memory or 0, node.used_memory)


def _limit(summary: str, node: NodeInfo) -> Action:
    """A maxmemory above what is set and what was ever in use, in whole GiB, or below 1 GiB in steps of 128 MiB."""
    least = _HEADROOM * max(_peak(node), node.maxmemory)
    step = 1024 * _MIB if least > 1024 * _MIB else 128 * _MIB
    limit = max(step, -(-int(least) // step) * step)
    return setting(summary, f"CONFIG SET maxmemory {limit // _MIB}mb", undo=f"CONFIG SET maxmemory {node.maxmemory}")


def _cannot_evict(seen: Seen, node: NodeInfo, full: float) -> Iterator[Finding]:
    """volatile-* takes keys with a TTL only; noeviction takes none: then writes fail, with evicted_keys at 0."""
    staying = sum(stats.no_ttl_bytes for stats in seen.patterns) * seen.scale
    share = seen.share(staying)
    policy = node.maxmemory_policy
    volatile = policy.startswith("volatile-") and share >= seen.thresholds.full_percent
    if not volatile and policy != "noeviction":
        return
    near = full >= seen.thresholds.full_percent
    what = f"{share:.0f} % of the memory is keys without TTL, which {policy} cannot evict" if volatile else policy
    yield Finding(
        rule="RED008",
        severity=Severity.HIGH if near else Severity.INFO,
        subject=server(node.name),
        message=f"{what}: when memory is full, writes fail; it is {full:.0f} % full",
        evidence=(
            Evidence(name="full", value=round(full, 1), unit="percent"),
            Evidence(name="without TTL", value=round(share, 1), unit="percent"),
        ),
        action=_evict_more(seen, policy),
    )


def _evict_more(seen: Seen, policy: str) -> Action:
    """Another policy, but not where it would evict locks and state as well."""
    if precious := _precious(seen):
        return setting(
            f"give cached keys a TTL, and keep {', '.join(stats.pattern for stats in precious)} on a Redis of their "
            "own, for a policy that evicts any key would take them too",
            "",
        )
    return setting(
        "give cached keys a TTL, or evict any key",
        "CONFIG SET maxmemory-policy allkeys-lfu",
        undo=f"CONFIG SET maxmemory-policy {policy}",
    )


def _precious(seen: Seen) -> list[PatternStats]:
    """Locks and state that are there, by name."""
    kinds = {family.pattern for family in seen.families.values() if family.kind in _PRECIOUS}
    found = [stats for stats in seen.patterns if stats.family in kinds and stats.count]
    return sorted(found, key=lambda stats: stats.pattern)


def _evicts_the_wrong(seen: Seen, node: NodeInfo, full: float) -> Iterator[Finding]:
    endangered = _endangered(seen, node)
    if not endangered:
        return
    near = full >= seen.thresholds.full_percent or seen.traffic.evicted_keys > 0
    yield Finding(
        rule="RED018",
        severity=Severity.HIGH if near else Severity.INFO,
        subject=server(node.name),
        message=f"{node.maxmemory_policy} may evict {', '.join(endangered)}, which cannot be filled again; "
        f"memory is {full:.0f} % full",
        evidence=(Evidence(name="full", value=round(full, 1), unit="percent"),),
        action=setting("keep locks and state on a Redis of their own, with noeviction", "maxmemory-policy noeviction"),
    )


def _endangered(seen: Seen, node: NodeInfo) -> list[str]:
    """Patterns of locks and state that the policy may evict."""
    if node.maxmemory == 0 or node.maxmemory_policy == "noeviction":
        return []
    spares = node.maxmemory_policy.startswith("volatile-")
    return [stats.pattern for stats in _precious(seen) if not spares or stats.ttl_known > stats.no_ttl]


def _fragmentation(seen: Seen, node: NodeInfo) -> Iterator[Finding]:
    ratio, lost = node.fragmentation_ratio, node.fragmentation_bytes
    if ratio is None or lost is None or lost < seen.thresholds.fragmentation_min_bytes:
        return
    if ratio >= seen.thresholds.fragmentation_ratio:
        yield Finding(
            rule="RED013",
            severity=Severity.MEDIUM,
            subject=server(node.name),
            message=f"the process holds {ratio:.1f} times the memory that its data take",
            evidence=(Evidence(name="lost", value=lost, unit="bytes"),),
            action=setting("let it defragment", "CONFIG SET activedefrag yes", undo="CONFIG SET activedefrag no"),
        )


def _stale(seen: Seen, node: NodeInfo) -> Iterator[Finding]:
    percent = node.expired_stale_percent
    whole = "its keys" if seen.snapshot.coverage.mode == "rdb" else "the keys with a TTL"  # the server's own estimate
    if percent is not None and percent >= seen.thresholds.stale_percent:
        yield Finding(
            rule="RED016",
            severity=Severity.MEDIUM,
            subject=server(node.name),
            message=f"about {percent:.0f} % of {whole} have expired and still occupy memory",
            confidence=Confidence.ESTIMATE,
            evidence=(Evidence(name="expired, not removed", value=round(percent, 1), unit="percent"),),
            action=setting("let the server look for them more often", "CONFIG SET active-expire-effort 5"),
        )


def _lag(seen: Seen, node: NodeInfo) -> Iterator[Finding]:
    late = node.lag_seconds is not None and node.lag_seconds >= seen.thresholds.lag_seconds
    behind = node.lag_bytes is not None and node.lag_bytes >= seen.thresholds.lag_bytes
    if late or behind:
        last = "this replica" if node.role == "replica" else "the last replica"
        who = "this replica has heard nothing from its primary for" if late else f"{last} is behind by"
        figure = f"{node.lag_seconds:.0f} s" if late else f"{(node.lag_bytes or 0) / 1024 / 1024:,.0f} MiB"
        yield Finding(
            rule="RED017",
            severity=Severity.HIGH,
            subject=server(node.name),
            message=f"{who} {figure}: a failover would lose the writes",
            evidence=tuple(
                Evidence(name=name, value=value, unit=unit)
                for name, value, unit in (("behind", node.lag_bytes, "bytes"), ("silent", node.lag_seconds, "seconds"))
                if value is not None
            ),
            action=setting(
                "look at the replica and the network before a failover is needed; how far each one is:",
                "INFO replication",
            ),
        )


def _other_databases(seen: Seen) -> Iterator[Finding]:
    if seen.snapshot.database == "all":
        return
    elsewhere = sorted(
        {
            base.index
            for node in seen.primaries
            for base in node.databases
            if base.keys and str(base.index) != seen.snapshot.database
        }
    )
    number = sum(
        base.keys for node in seen.primaries for base in node.databases if str(base.index) != seen.snapshot.database
    )
    if elsewhere:
        yield Finding(
            rule="RED014",
            severity=Severity.INFO,
            subject=server(seen.snapshot.source),
            message=f"{keys_in(number)} in other databases ({', '.join(map(str, elsewhere))}) not looked at; "
            "hits, misses and evictions are those of all",
            evidence=(keys(number),),
            action=setting("look at all of them", "dbvitals cache --all-dbs"),
        )
