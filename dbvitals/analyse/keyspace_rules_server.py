"""Rules about the server: hit ratio and fragmentation, and what the rooms beside this one have about its nodes."""

from collections.abc import Iterator

from dbvitals.analyse.keyspace_rules_databases import database_findings
from dbvitals.analyse.keyspace_rules_expired import expired_findings
from dbvitals.analyse.keyspace_rules_limits import limit_findings
from dbvitals.analyse.keyspace_rules_persistence import persistence_findings
from dbvitals.analyse.keyspace_rules_replicas import replica_findings
from dbvitals.analyse.keyspace_seen import Seen
from dbvitals.analyse.keyspace_words import counted_for, server, setting, since
from dbvitals.model import Action, Confidence, Evidence, Finding, Severity
from dbvitals.snapshot_keyspace import NodeInfo

_JEMALLOC = "jemalloc"


def server_findings(seen: Seen) -> Iterator[Finding]:
    """Judge the nodes, and what their counters say."""
    yield from _hit_ratio(seen)
    yield from database_findings(seen)
    for node in seen.primaries:
        yield from limit_findings(seen, node)
        yield from _fragmentation(seen, node)
    yield from expired_findings(seen)
    yield from replica_findings(seen)
    yield from persistence_findings(seen)


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


def _fragmentation(seen: Seen, node: NodeInfo) -> Iterator[Finding]:
    ratio, lost, limits = node.fragmentation_ratio, node.fragmentation_bytes, seen.thresholds
    if ratio is None or lost is None or lost < limits.fragmentation_min_bytes or ratio < limits.fragmentation_ratio:
        return
    holes = _has_holes(seen, node)
    yield Finding(
        rule="RED013",
        severity=Severity.MEDIUM if holes else Severity.INFO,
        subject=server(node.name),
        message=f"the process holds {ratio:.1f} times the memory that its data take"
        + ("" if holes else ": it has freed it, and not given it back to the system"),
        confidence=Confidence.CERTAIN if node.allocator.startswith(_JEMALLOC) else Confidence.LIKELY,
        evidence=(Evidence(name="lost", value=lost, unit="bytes"),),
        action=_defragment(node) if holes else _give_back(node),
    )


def _has_holes(seen: Seen, node: NodeInfo) -> bool:
    """Whether memory is lost between the data: what is merely free is in one piece, and will be used again.

    Only jemalloc tells them apart: with libc the server's figures are those of no holes, whatever there is.
    """
    ratio, lost = node.allocator_fragmentation_ratio, node.allocator_fragmentation_bytes
    if not node.allocator:
        return True
    if not node.allocator.startswith(_JEMALLOC) or ratio is None or lost is None:
        return False
    limits = seen.thresholds
    return ratio >= limits.fragmentation_ratio and lost >= limits.fragmentation_min_bytes


def _defragment(node: NodeInfo) -> Action:
    if not node.allocator.startswith(_JEMALLOC):
        return setting("restart it in a quiet hour, after a failover where there is a replica", "")
    return setting(
        "let it defragment; a server that was not built with Redis's own jemalloc (Debian's) refuses: restart that one "
        "in a quiet hour",
        "CONFIG SET activedefrag yes",
        undo="CONFIG SET activedefrag no",
    )


def _give_back(node: NodeInfo) -> Action:
    if not node.allocator.startswith(_JEMALLOC):
        return setting("nothing, unless the machine needs it: then restart it in a quiet hour", "")
    return setting("nothing, unless the machine needs it: then", "MEMORY PURGE")
