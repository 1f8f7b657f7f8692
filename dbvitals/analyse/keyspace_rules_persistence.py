"""The rule about saving to disk: a server that cannot save loses what is not saved, and may refuse writes."""

from collections.abc import Iterator

from dbvitals.analyse.keyspace_seen import Seen
from dbvitals.analyse.keyspace_words import server, setting
from dbvitals.model import Action, Evidence, Finding, Severity
from dbvitals.snapshot_keyspace import NodeInfo


def persistence_findings(seen: Seen) -> Iterator[Finding]:
    """Judge how the last save and the last write of the append-only file went."""
    for node in seen.snapshot.nodes:
        if node.save_failed or node.append_failed:
            yield _finding(node)


def _finding(node: NodeInfo) -> Finding:
    failed = "the last write to the append-only file failed" if node.append_failed else "the last save failed"
    lost = "" if node.append_only and not node.append_failed else ": a restart would lose what was written since then"
    refused = _refuses_writes(node)
    return Finding(
        rule="RED024",
        severity=Severity.CRITICAL if refused else Severity.HIGH,
        subject=server(node.name),
        message=f"writes are refused, for {failed}" if refused else failed + lost,
        evidence=(Evidence(name="changes not saved", value=node.unsaved_changes or 0, unit="changes"),),
        action=_action(node),
    )


def _refuses_writes(node: NodeInfo) -> bool:
    """By its own word, or, where the login may not ask, by its settings. A replica refuses none of its primary's."""
    if node.writes_refused:
        return True
    stops = node.config.get("stop-writes-on-bgsave-error") == "yes" and bool(node.config.get("save"))
    return node.role == "primary" and (node.append_failed or (node.save_failed and stops))


def _action(node: NodeInfo) -> Action:
    """The server tries the append-only file again by itself, every second; a save only when its time has come."""
    why = "mend what the server's log names: a full disk, a folder that is gone or may not be written"
    if node.append_failed:
        return setting(f"{why}; it goes on by itself then", "")
    return setting(f"{why}, or no memory for the copy; then save again:", "BGSAVE")
