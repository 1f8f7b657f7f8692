"""The rules about single sessions: who holds others up, who does nothing, who works for nobody."""

from collections.abc import Iterator

from dbvitals.analyse.connection_picture import (
    Picture,
    ending,
    ending_action,
    number,
    ref,
    seconds,
    session_ref,
    site_words,
)
from dbvitals.analyse.connection_report import Blocker
from dbvitals.analyse.session_text import IDLE_IN_TRANSACTION
from dbvitals.model import Finding, Severity


def _long_queries(picture: Picture) -> Iterator[Finding]:
    for connection in picture.long_running:
        yield Finding(
            rule="CON003",
            severity=Severity.MEDIUM,
            subject=session_ref(connection),
            message=f"a query runs for {connection.query_seconds:.0f} s; the session {connection.activity}"
            f"{site_words(connection)}",
            evidence=(seconds("query", connection.query_seconds),),
            action=ending_action(connection),
        )


def _watched_long_queries(picture: Picture) -> Iterator[Finding]:
    """There were more while watching than there are now."""
    peak, now = picture.peak_long_running, len(picture.long_running)
    if peak is not None and peak > now:
        yield Finding(
            rule="CON003",
            severity=Severity.MEDIUM,
            subject=ref("pool", "pool"),
            message=f"{peak:g} queries at a time ran for more than {picture.thresholds.long_query_seconds:g} s "
            f"at the peak, {now} at the end",
            evidence=(number("long queries", peak, "queries"),),
        )


def _blocking(picture: Picture) -> Iterator[Finding]:
    for tree in picture.blocking:
        longest = longest_wait(tree)
        serious = longest > picture.thresholds.blocked_high_seconds and not tree.deadlock
        yield Finding(
            rule="CON004",
            severity=Severity.HIGH if serious else Severity.MEDIUM,
            subject=ref("prepared transaction" if tree.gid else "session", tree.gid or f"pid {tree.pid}"),
            message=_root_words(tree),
            evidence=(
                number("victims", tree.victims, "sessions"),
                seconds("waited in all", tree.victim_seconds),
                seconds("longest wait", longest),
            ),
            action=ending(tree.statement),
        )


def _watched_blocking(picture: Picture) -> Iterator[Finding]:
    """Trees that came and went while watching."""
    there = {(tree.pid, tree.gid) for tree in picture.blocking}
    for sighting in picture.sightings:
        tree = sighting.tree
        if tree is None or (tree.pid, tree.gid) in there:
            continue
        lasted = sighting.last_seconds - sighting.first_seconds + longest_wait(tree)
        yield Finding(
            rule="CON004",
            severity=Severity.MEDIUM if lasted > picture.thresholds.blocked_high_seconds else Severity.INFO,
            subject=ref("prepared transaction" if tree.gid else "session", tree.gid or f"pid {tree.pid}"),
            message=f"{_root_words(tree)}; gone by the end of the watch",
            evidence=(number("victims", tree.victims, "sessions"), seconds("longest wait", longest_wait(tree))),
        )


def _leaks(picture: Picture) -> Iterator[Finding]:
    """One silent transaction harms by what it holds: rows from VACUUM, or locks from others."""
    blocking = {tree.pid for tree in picture.blocking}
    for connection in picture.idle_in_transaction:
        if (connection.state_seconds or 0.0) <= picture.thresholds.leak_seconds:
            continue
        harms = connection.pid in blocking | picture.pinning
        yield Finding(
            rule="CON007",
            severity=Severity.HIGH if connection.pid in blocking else Severity.MEDIUM if harms else Severity.INFO,
            subject=session_ref(connection),
            message=f"{connection.state} for {connection.state_seconds:.0f} s"
            + (", holds locks that others wait for" if connection.pid in blocking else "")
            + (", keeps VACUUM from its work" if connection.pid in picture.pinning else "")
            + site_words(connection),
            evidence=(
                seconds("idle in transaction", connection.state_seconds),
                seconds("transaction", connection.transaction_seconds),
            ),
            action=ending_action(connection),
        )


def _watched_leaks(picture: Picture) -> Iterator[Finding]:
    """Transactions that were left open while watching, and are not any more."""
    there = {(connection.pid, connection.state_change) for connection in picture.connections}
    for sighting in picture.sightings:
        leak = sighting.leak
        if leak is not None and (leak.pid, leak.state_change) not in there:
            yield Finding(
                rule="CON007",
                severity=Severity.INFO,
                subject=session_ref(leak),
                message=f"was {leak.state} for {leak.state_seconds or 0.0:.0f} s{site_words(leak)}; "
                "gone by the end of the watch",
                evidence=(seconds("idle in transaction", leak.state_seconds),),
            )


def longest_wait(tree: Blocker) -> float:
    """Seconds that the most patient victim has waited."""
    longest, rest = 0.0, list(tree.blocks)
    while rest:
        node = rest.pop()
        longest = max(longest, node.waited_seconds or 0.0)
        rest.extend(node.blocks)
    return longest


def _root_words(tree: Blocker) -> str:
    blocks = f"blocks {tree.victims} other{'s' if tree.victims != 1 else ''}"
    if tree.deadlock:
        return f"{blocks} and waits for one of them: a deadlock, which the server will end"
    holds = f", holds {', '.join(tree.holds)}" if tree.holds else ""
    if tree.pid == 0:
        return f"a prepared transaction {blocks}{holds}: only COMMIT PREPARED or ROLLBACK PREPARED ends it"
    state = f", {tree.state} for {tree.state_seconds:.0f} s" if tree.state_seconds is not None else ""
    site = f", checked out at {tree.held_by.site}" if tree.held_by and tree.held_by.site else ""
    route = f" by {tree.held_by.route}" if tree.held_by and tree.held_by.route else ""
    return f"{blocks}{state}{holds}{site}{route}"


def _long_transactions(picture: Picture) -> Iterator[Finding]:
    """A transaction that keeps changing between busy and idle is neither a long query nor a leak."""
    limits = picture.thresholds
    for connection in picture.connections:
        told = connection in picture.long_running or (
            connection.state in IDLE_IN_TRANSACTION and (connection.state_seconds or 0.0) > limits.leak_seconds
        )
        if not told and (connection.transaction_seconds or 0.0) > limits.long_transaction_seconds:
            yield Finding(
                rule="CON008",
                severity=Severity.MEDIUM,
                subject=session_ref(connection),
                message=f"a transaction is open for {connection.transaction_seconds:.0f} s{site_words(connection)}",
                evidence=(seconds("transaction", connection.transaction_seconds),),
            )


def _orphans(picture: Picture) -> Iterator[Finding]:
    for connection in picture.connections:
        if connection.client_gone:
            yield Finding(
                rule="CON010",
                severity=Severity.MEDIUM,
                subject=session_ref(connection),
                message=f"its client is gone, and the server has not noticed: {connection.state} "
                f"for {connection.state_seconds or 0.0:.0f} s",
                evidence=(seconds("state", connection.state_seconds),),
                action=ending_action(connection),
            )


def _held_silently(picture: Picture) -> Iterator[Finding]:
    """A connection that is out without a transaction shows as idle on the server: only the application knows."""
    sessions = {c.pid: c for c in picture.connections if c.held_by}
    idle = [c for c in sessions.values() if c.state == "idle" and c.held_by]
    for connection in sorted(idle, key=lambda c: c.pid):
        held = connection.held_by
        if held and held.seconds > picture.thresholds.leak_seconds:
            yield Finding(
                rule="CON014",
                severity=Severity.INFO,
                subject=session_ref(connection),
                message=f"out of its pool for {held.seconds:.0f} s without a transaction{site_words(connection)}",
                evidence=(seconds("checked out", held.seconds),),
            )


SESSION_RULES = (
    _long_queries,
    _watched_long_queries,
    _blocking,
    _watched_blocking,
    _leaks,
    _watched_leaks,
    _long_transactions,
    _orphans,
    _held_silently,
)
