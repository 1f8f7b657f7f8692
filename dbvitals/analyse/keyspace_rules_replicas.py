"""The rule about replicas: by their own word, and by their primary's."""

from collections.abc import Iterator

from dbvitals.analyse.keyspace_seen import Seen
from dbvitals.analyse.keyspace_words import duration, server, setting
from dbvitals.model import Evidence, Finding, Severity
from dbvitals.snapshot_keyspace import NodeInfo, ReplicaInfo

_MIB = 1024 * 1024

_NO_LINK = {
    "copying": "it is trying to get its first copy of its primary: until it has it, nobody can fail over to it",
    "never": "it has never reached its primary: what it serves is nothing of it, and nobody can fail over to it",
}


def replica_findings(seen: Seen) -> Iterator[Finding]:
    """Judge every node for the replica that it is, or for those that it has."""
    for node in seen.snapshot.nodes:
        trouble = _own_trouble(seen, node) if node.role == "replica" else _of_its_replicas(seen, node)
        if trouble:
            yield _finding(node, *trouble)


Trouble = tuple[str, int | None, float | None]
"""What is wrong, the bytes behind, and the seconds without a word."""


def _finding(node: NodeInfo, message: str, behind: int | None, silent: float | None) -> Finding:
    return Finding(
        rule="RED017",
        severity=Severity.MEDIUM if node.link == "copying" else Severity.HIGH,
        subject=server(node.name),
        message=message,
        evidence=tuple(
            Evidence(name=name, value=value, unit=unit)
            for name, value, unit in (("behind", behind, "bytes"), ("silent", silent, "seconds"))
            if value is not None
        ),
        action=setting(
            "look at the replica and the network before a failover is needed; how far each one is:", "INFO replication"
        ),
    )


def _own_trouble(seen: Seen, node: NodeInfo) -> Trouble | None:
    silent = node.lag_seconds
    if node.link in _NO_LINK:
        return _NO_LINK[node.link], node.lag_bytes, None
    if node.link == "down":
        down = node.link_down_seconds
        since = f" for {duration(down)}" if down else ""
        what = "it serves the past, and a failover to it would lose what was written since"
        return f"its link to its primary has been down{since}: {what}", node.lag_bytes, down
    if (node.lag_bytes or 0) >= seen.thresholds.lag_bytes:
        behind = f"this replica is behind by {_mebibytes(node.lag_bytes)}"
        return f"{behind}: a failover to it would lose these writes", node.lag_bytes, silent
    if silent is not None and silent >= seen.thresholds.lag_seconds:
        return f"this replica has heard nothing from its primary for {duration(silent)}", node.lag_bytes, silent
    return None


def _of_its_replicas(seen: Seen, node: NodeInfo) -> Trouble | None:
    """Name the worst; a failover takes the best, and loses only what that one does not have."""
    late = [one for one in node.replicas if _is_behind(seen, one) or _is_silent(seen, one)]
    if not late:
        return None
    worst = max(late, key=lambda one: (one.behind_bytes or 0, one.silent_seconds or 0, one.name))
    parts = []
    if _is_behind(seen, worst):
        parts.append(f"is behind by {_mebibytes(worst.behind_bytes)}")
    if _is_silent(seen, worst):
        parts.append(f"has acknowledged nothing for {duration(worst.silent_seconds or 0)}")
    more = f", and {len(late) - 1} more like it" if len(late) > 1 else ""
    lost = ": a failover would lose these writes" if all(_is_behind(seen, one) for one in node.replicas) else ""
    return f"replica {worst.name} {' and '.join(parts)}{more}{lost}", worst.behind_bytes, worst.silent_seconds


def _is_behind(seen: Seen, replica: ReplicaInfo) -> bool:
    return replica.behind_bytes is not None and replica.behind_bytes >= seen.thresholds.lag_bytes


def _is_silent(seen: Seen, replica: ReplicaInfo) -> bool:
    return replica.silent_seconds is not None and replica.silent_seconds >= seen.thresholds.ack_seconds


def _mebibytes(number: int | None) -> str:
    return f"{(number or 0) / _MIB:,.0f} MiB"
