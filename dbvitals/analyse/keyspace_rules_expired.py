"""The rule about keys that have expired and still occupy memory."""

from collections.abc import Iterator

from dbvitals.analyse.key_tally import bucket_of
from dbvitals.analyse.keyspace_seen import Seen
from dbvitals.analyse.keyspace_words import keys, server, setting
from dbvitals.model import Action, Confidence, Evidence, Finding, Severity
from dbvitals.snapshot_keyspace import NodeInfo

_DEFAULT_EFFORT = "1"
"""Redis's own `active-expire-effort`; 10 is the most."""


def expired_keys(seen: Seen) -> int | None:
    """Keys that DBSIZE counts and SCAN does not give, for they have expired; None where not every key was asked for.

    On a replica they stay. A primary removes them as SCAN meets them, and counts each as expired; what clients deleted
    meanwhile it does not. Others expire during the pass before it comes to them: where as many expire all the time,
    half as many as were seen with no longer to live than the pass took; all of these are taken off.
    """
    coverage = seen.snapshot.coverage
    if coverage.mode != "full" or coverage.ended != "complete" or coverage.topology_changed:
        return None
    staying = min(coverage.keys_before, coverage.keys_after) - coverage.keys_seen
    removed = min(coverage.keys_before - coverage.keys_seen, expired_meanwhile(seen) - _short_lived(seen))
    return max(0, staying, removed)


def _short_lived(seen: Seen) -> int:
    """Keys that were seen with no longer to live than the pass took."""
    longest = bucket_of(round(1000 * seen.snapshot.coverage.seconds))
    return sum(number for stats in seen.patterns for bucket, number in stats.ttl_buckets.items() if bucket <= longest)


def expired_findings(seen: Seen) -> Iterator[Finding]:
    """Count them where that can be done, else take the server's own estimate."""
    lying, total = expired_keys(seen) or 0, seen.snapshot.coverage.keys_before
    if lying >= seen.thresholds.stale_min_keys and 100 * lying / total >= seen.thresholds.stale_percent:
        yield _counted(seen, lying, total)
        return
    for node in seen.primaries:
        yield from _estimated(seen, node)


def expired_meanwhile(seen: Seen) -> int:
    """Keys that expired during the pass, by the counters of the nodes that did not start anew."""
    before = {(one.node, one.run_id): one.expired_keys for one in seen.snapshot.before}
    after = {(one.node, one.run_id): one.expired_keys for one in seen.snapshot.after}
    return sum(max(0, number - before.get(node, number)) for node, number in after.items())


def _counted(seen: Seen, lying: int, total: int) -> Finding:
    return Finding(
        rule="RED016",
        severity=Severity.MEDIUM,
        subject=server(seen.snapshot.source),
        message=f"{lying:,} of {total:,} keys had expired and still occupied memory",
        confidence=Confidence.LIKELY,
        evidence=(
            keys(lying),
            Evidence(name="expired, not removed", value=round(100 * lying / total, 1), unit="percent"),
        ),
        action=_look_more_often(seen.primaries[0]),
    )


def _estimated(seen: Seen, node: NodeInfo) -> Iterator[Finding]:
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
            action=_look_more_often(node),
        )


def _look_more_often(node: NodeInfo) -> Action:
    """Replicas remove nothing by themselves: it is the primary that looks."""
    effort = node.config.get("active-expire-effort", _DEFAULT_EFFORT)
    if not effort.isdigit() or int(effort) >= 10:
        return setting("the server looks for them as often as it can: write fewer keys that live so short", "")
    return setting(
        "let the primary look for them more often; it takes more of its time",
        f"CONFIG SET active-expire-effort {5 if int(effort) < 5 else 10}",
        undo=f"CONFIG SET active-expire-effort {effort}",
    )
