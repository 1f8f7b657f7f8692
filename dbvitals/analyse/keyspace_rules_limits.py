"""Rules about the limit of memory: what was evicted, what cannot be and should not be, and how far it may be raised."""

from collections.abc import Collection, Iterator

from dbvitals.analyse.keyspace_figures import is_whole
from dbvitals.analyse.keyspace_rules_databases import keys_elsewhere
from dbvitals.analyse.keyspace_seen import Seen, is_there
from dbvitals.analyse.keyspace_words import counted_for, gibibytes, keys_in, server, setting, since
from dbvitals.model import Action, Evidence, Finding, Severity
from dbvitals.snapshot_keyspace import DatabaseInfo, NodeInfo, PatternStats

_PRECIOUS = ("lock", "state")
"""Kinds of keys that must not be evicted."""

_HEADROOM = 1.5
"""Times what was in use at most: room for a day that is busier, and for what a copy in the background takes."""

_MIB = 1024 * 1024


def limit_findings(seen: Seen, node: NodeInfo) -> Iterator[Finding]:
    """Judge a node's limit, the policy that holds when it is reached, and what that policy did."""
    if seen.snapshot.coverage.mode == "rdb":  # a dump holds neither limits nor counters
        return
    yield from _evictions(seen, node)
    if node.maxmemory == 0:
        yield _unlimited(seen, node)
        return
    yield from _cannot_evict(seen, node)
    yield from _evicts_the_wrong(seen, node)


def _full(node: NodeInfo) -> float:
    """Percent of the limit; buffers for replicas and for the append-only file are not limited."""
    return 100 * max(0, node.used_memory - node.uncounted_memory) / node.maxmemory if node.maxmemory else 0.0


def _evictions(seen: Seen, node: NodeInfo) -> Iterator[Finding]:
    evicted = seen.evicted.get(node.name, 0)
    if not evicted:
        return
    over = _why_over(seen, node)
    once = f" once; {over}" if over else ""
    worse = Severity.HIGH if _endangered(seen, node) else Severity.MEDIUM
    yield Finding(
        rule="RED003",
        severity=Severity.INFO if over else worse,
        subject=server(node.name),
        message=f"{keys_in(evicted)} evicted {since(seen.traffic.source, seen.traffic.seconds)} because memory was "
        f"full{once}",
        evidence=(
            Evidence(name="evicted", value=evicted, unit="keys"),
            Evidence(name="maxmemory", value=node.maxmemory, unit="bytes"),
            *counted_for(seen.traffic.seconds),
        ),
        action=setting("nothing, unless it goes on; whether it does:", "dbvitals cache --window 60s")
        if over
        else _limit(seen, node, "give it more memory, or let the largest patterns live shorter"),
    )


def _why_over(seen: Seen, node: NodeInfo) -> str:
    """Why a node evicts no more, empty when it may: counters of a day may tell of an hour that is long over."""
    if seen.traffic.source == "window":
        return ""
    if node.maxmemory == 0:
        return "it has no limit now"
    if node.maxmemory_policy == "noeviction":
        return "its policy is noeviction now"
    full = _full(node)
    return f"it is {full:.0f} % full now" if full < seen.thresholds.full_percent else ""


def _unlimited(seen: Seen, node: NodeInfo) -> Finding:
    return Finding(
        rule="RED019",
        severity=Severity.INFO,
        subject=server(node.name),
        message="maxmemory is 0: nothing is ever evicted, and the system ends the server when its memory is full",
        evidence=(
            Evidence(name="used memory", value=node.used_memory, unit="bytes"),
            Evidence(name="at most", value=_peak(node), unit="bytes"),
        ),
        action=_limit(
            seen,
            node,
            f"set a limit below the machine's memory; this one is at least {_HEADROOM} times the "
            f"{gibibytes(_peak(node))} that it had in use at most",
        ),
    )


def _peak(node: NodeInfo) -> int:
    return max(node.peak_memory or 0, node.used_memory)


def _limit(seen: Seen, node: NodeInfo, summary: str) -> Action:
    """A maxmemory above what is set and what was ever in use, in whole GiB, or below 1 GiB in steps of 128 MiB.

    None is proposed that the machine does not have: the system would end the server instead.
    """
    least = _HEADROOM * max(_peak(node), node.maxmemory)
    step = 1024 * _MIB if least > 1024 * _MIB else 128 * _MIB
    limit = max(step, -(-int(least) // step) * step)
    machine = node.machine_memory
    if machine and limit > machine * seen.thresholds.machine_percent / 100:
        return setting(
            f"let the largest patterns live shorter, or take a larger machine: {gibibytes(limit)} for Redis is too "
            f"much for this one, which has {gibibytes(machine)} in all",
            "",
        )
    return setting(summary, f"CONFIG SET maxmemory {limit // _MIB}mb", undo=f"CONFIG SET maxmemory {node.maxmemory}")


def _cannot_evict(seen: Seen, node: NodeInfo) -> Iterator[Finding]:
    """volatile-* takes keys with a TTL only; noeviction takes none: then writes fail, with evicted_keys at 0."""
    policy, full = node.maxmemory_policy, _full(node)
    share, what = _staying(seen, node)
    volatile = policy.startswith("volatile-") and share >= seen.thresholds.full_percent
    near = full >= seen.thresholds.full_percent
    if not volatile and policy != "noeviction":
        return
    if policy == "noeviction" and not near and _is_to_be_kept(seen):  # as it should be
        return
    refused = full >= 100 and node.role == "primary" and (policy == "noeviction" or _never_expires(node))
    cannot = f"{share:.0f} % of the {what}, which {policy} cannot evict" if volatile else policy
    message = f"{cannot}: when memory is full, writes fail; it is {full:.0f} % full"
    if refused:
        message = f"writes are refused: memory is {full:.0f} % full, and {policy} evicts nothing"
    yield Finding(
        rule="RED008",
        severity=Severity.CRITICAL if refused else Severity.HIGH if near else Severity.INFO,
        subject=server(node.name),
        message=message + _refusals(node),
        evidence=(
            Evidence(name="full", value=round(full, 1), unit="percent"),
            Evidence(name="without TTL", value=round(share, 1), unit="percent"),
            Evidence(name="refused", value=node.oom_errors, unit="commands"),
        ),
        action=_make_room(seen, node, near),
    )


def _refusals(node: NodeInfo) -> str:
    times = "once" if node.oom_errors == 1 else f"{node.oom_errors:,} times"
    return f"; OOM was answered {times} since its counters began" if node.oom_errors else ""


def _never_expires(node: NodeInfo) -> bool:
    return not any(base.expires for base in node.databases)


def _staying(seen: Seen, node: NodeInfo) -> tuple[float, str]:
    """Percent without TTL, and of what: of the keys, by the server's own counts, where times or sizes are denied.

    Limit and policy are those of all databases: keys of one that was not read weigh as much as those that were.
    """
    share, what = _percent_staying(node.databases), "keys have no TTL"
    if any(stats.ttl_known for stats in seen.patterns) and any(stats.memory_known for stats in seen.patterns):
        others = [base for base in node.databases if base.index in keys_elsewhere(seen)]
        keys, beside = (sum(base.keys for base in some) for some in (node.databases, others))
        here = seen.share(sum(stats.no_ttl_bytes for stats in seen.patterns) * seen.scale)
        weight = beside / keys if keys else 0.0
        share, what = here * (1 - weight) + _percent_staying(others) * weight, "memory is keys without TTL"
    return share, what


def _percent_staying(databases: Collection[DatabaseInfo]) -> float:
    keys, expires = (sum(getattr(base, name) for base in databases) for name in ("keys", "expires"))
    return 100 * (keys - expires) / keys if keys else 0.0


def _make_room(seen: Seen, node: NodeInfo, near: bool) -> Action:
    """More memory; another policy only where all that it could ever take can be filled again."""
    if not near:
        return setting("before it is full, give cached keys a TTL, or raise maxmemory", "")
    if not _is_all_cache(seen):
        return _limit(seen, node, "give it more memory, and cached keys a TTL")
    return setting(
        "give cached keys a TTL, or evict any key",
        "CONFIG SET maxmemory-policy allkeys-lfu",
        undo=f"CONFIG SET maxmemory-policy {node.maxmemory_policy}",
    )


def _is_all_cache(seen: Seen) -> bool:
    """Whether every key of the server was seen, and is declared as one of a cache: else a lock or a queue may be."""
    whole = seen.snapshot.coverage.mode == "full" and is_whole(seen)
    there = [stats for stats in seen.patterns if is_there(stats)]
    declared = all(seen.family(stats) for stats in there)
    only = all(family.kind == "cache" for family in seen.families.values())
    return whole and bool(there) and declared and only and not keys_elsewhere(seen)


def _is_to_be_kept(seen: Seen) -> bool:
    """Whether locks or state are declared: of these there may be none at the moment."""
    return any(family.kind in _PRECIOUS for family in seen.families.values())


def _evicts_the_wrong(seen: Seen, node: NodeInfo) -> Iterator[Finding]:
    endangered = _endangered(seen, node)
    if not endangered:
        return
    full = _full(node)
    near = full >= seen.thresholds.full_percent or (seen.evicted.get(node.name, 0) > 0 and not _why_over(seen, node))
    yield Finding(
        rule="RED018",
        severity=Severity.HIGH if near else Severity.INFO,
        subject=server(node.name),
        message=f"{node.maxmemory_policy} may evict {', '.join(endangered)}, which cannot be filled again; "
        f"memory is {full:.0f} % full",
        evidence=(Evidence(name="full", value=round(full, 1), unit="percent"),),
        action=setting(
            "keep locks and state on another Redis, with noeviction and room to spare; here that policy would "
            "refuse writes when memory is full",
            "",
        ),
    )


def _endangered(seen: Seen, node: NodeInfo) -> list[str]:
    """Patterns of locks and state that the policy may evict; which have a TTL may be unknown."""
    if node.maxmemory == 0 or node.maxmemory_policy == "noeviction":
        return []
    spares = node.maxmemory_policy.startswith("volatile-")
    found = [stats for stats in _precious(seen) if not spares or not stats.ttl_known or stats.ttl_known > stats.no_ttl]
    return [stats.pattern for stats in found]


def _precious(seen: Seen) -> list[PatternStats]:
    """Locks and state that are there, by name."""
    kinds = {family.pattern for family in seen.families.values() if family.kind in _PRECIOUS}
    found = [stats for stats in seen.patterns if stats.family in kinds and stats.count]
    return sorted(found, key=lambda stats: stats.pattern)
