"""The rules about a pool as a whole, its server, and what stands between them."""

from collections.abc import Iterator

from dbvitals.analyse.connection_picture import (
    MORE_PROCESSES,
    Picture,
    idle_in_transaction_words,
    number,
    ref,
    seconds,
    warm_or_exhausted,
)
from dbvitals.analyse.connection_report import Summary
from dbvitals.analyse.session_text import IDLE_IN_TRANSACTION
from dbvitals.model import Confidence, Finding, Severity


def _utilization(picture: Picture) -> Iterator[Finding]:
    percent, summary, limits = picture.utilization, picture.summary, picture.thresholds
    if picture.refusal or percent is None or percent <= limits.utilization_medium_percent:
        return
    connections = max(summary.total_connections or 0, summary.peak_connections or 0)
    yield Finding(
        rule="CON001",
        severity=Severity.CRITICAL if percent > limits.utilization_critical_percent else Severity.MEDIUM,
        subject=ref("pool", "pool"),
        message=f"{connections} of {summary.pool_capacity} connections are open ({percent:g} %)"
        f"{_at_the_peak(summary)}; {warm_or_exhausted(picture)}"
        + (f"; {MORE_PROCESSES}" if picture.has_more_processes else ""),
        evidence=(
            number("utilisation", percent, "percent"),
            number("busy", picture.busy, "percent"),
            number("capacity", summary.pool_capacity),
        ),
    )


def _at_the_peak(summary: Summary) -> str:
    now, peak = summary.pool_utilization_percent, summary.peak_utilization_percent
    return f" at the peak, {now:g} % at the end" if peak is not None and now is not None and peak > now else ""


def _idle_in_transaction(picture: Picture) -> Iterator[Finding]:
    silent, most = picture.most_idle_in_transaction, picture.thresholds.idle_in_transaction_max
    if silent is None or silent <= most:
        return
    aborted = sum(connection.state == IDLE_IN_TRANSACTION[1] for connection in picture.connections)
    yield Finding(
        rule="CON002",
        severity=Severity.MEDIUM,
        subject=ref("pool", "pool"),
        # The watch's cheap looks do not tell who was aborted at the peak.
        message=idle_in_transaction_words(picture)
        + (f", {aborted} of them aborted" if silent == picture.summary.idle_in_transaction else ""),
        evidence=(number("idle in transaction", silent), number("allowed", most)),
    )


def _server_full(picture: Picture) -> Iterator[Finding]:
    summary = picture.summary
    if picture.refusal:
        yield Finding(
            rule="CON005",
            severity=Severity.CRITICAL,
            subject=ref("server", "server"),
            message=f"the server has no connection left: {picture.refusal}",
        )
    elif picture.server and summary.server_connections is not None:
        ordinary = picture.server.max_connections - picture.server.reserved_connections
        percent = round(summary.server_connections / max(1, ordinary) * 100, 1)
        if percent > picture.thresholds.server_critical_percent:
            yield Finding(
                rule="CON005",
                severity=Severity.CRITICAL,
                subject=ref("server", "server"),
                message=f"{summary.server_connections} of the {ordinary} connections that the server gives to ordinary "
                f"roles are taken ({percent:g} %)",
                evidence=(number("taken", summary.server_connections), number("given", ordinary)),
            )


def _fleet(picture: Picture) -> Iterator[Finding]:
    fleet = picture.fleet
    if fleet is None or fleet.demand is None or fleet.demand <= fleet.supply:
        return
    yield Finding(
        rule="CON006",
        severity=Severity.HIGH,
        subject=ref("pool", "fleet"),
        message=f"{fleet.processes} process{'es' if fleet.processes != 1 else ''} may open {fleet.demand} connections, "
        f"{fleet.limited_by} gives {fleet.supply}"
        + (f": oversubscribed x{fleet.oversubscribed:g}" if fleet.oversubscribed else "")
        + f", {fleet.processes_that_fit} of {fleet.processes} can have all of theirs",
        confidence=Confidence.LIKELY if fleet.processes_from == "application names" else Confidence.CERTAIN,
        evidence=(number("demand", fleet.demand), number("supply", fleet.supply)),
    )


def _horizon(picture: Picture) -> Iterator[Finding]:
    oldest = next(iter(picture.horizon), None)
    if oldest is None or oldest.age <= picture.thresholds.horizon_max_age:
        return
    pid = f" (pid {oldest.pid})" if oldest.pid else ""
    yield Finding(
        rule="CON009",
        severity=Severity.MEDIUM,
        subject=ref(oldest.kind, oldest.name),
        message=f"{oldest.kind} {oldest.name}{pid} keeps rows of the last {oldest.age:,} transactions from VACUUM",
        evidence=(number("age", oldest.age, "transactions"),),
    )


def _prepared(picture: Picture) -> Iterator[Finding]:
    for transaction in picture.prepared:
        if transaction.seconds > picture.thresholds.prepared_seconds:
            yield Finding(
                rule="CON011",
                severity=Severity.MEDIUM,
                subject=ref("prepared transaction", transaction.gid),
                message=f"prepared {transaction.seconds:.0f} s ago in {transaction.database} by {transaction.owner}, "
                "neither committed nor rolled back",
                evidence=(seconds("prepared", transaction.seconds),),
            )


def _bouncers(picture: Picture) -> Iterator[Finding]:
    for bouncer in picture.bouncers:
        for pool in bouncer.pools:
            waited = pool.max_wait_seconds or 0.0
            if pool.clients_waiting and waited > picture.thresholds.pgbouncer_wait_seconds:
                yield Finding(
                    rule="CON012",
                    severity=Severity.HIGH,
                    subject=ref("PgBouncer pool", f"{pool.database}/{pool.user}"),
                    message=f"{pool.clients_waiting} clients wait at PgBouncer {bouncer.address} for a server "
                    f"connection, the first for {waited:.1f} s",
                    evidence=(number("waiting", pool.clients_waiting, "clients"), seconds("longest wait", waited)),
                )


def _unlimited(picture: Picture) -> Iterator[Finding]:
    if picture.pool.unlimited:
        yield Finding(
            rule="CON013",
            severity=Severity.INFO,
            subject=ref("pool", "pool"),
            message="the pool has no limit (pool_size 0 or max_overflow -1): only the server stops it, for everybody",
        )


POOL_RULES = (
    _utilization,
    _idle_in_transaction,
    _server_full,
    _fleet,
    _horizon,
    _prepared,
    _bouncers,
    _unlimited,
)
