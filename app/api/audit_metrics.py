"""What became of this process's audit events, and what waits in the spool."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from app.services.security.outbox import AuditOutbox, OutboxFigures
from app.services.security.spool import Spool


class AuditMetrics:
    """Metrics made from the outbox's figures; `refresh` brings them up to date."""

    def __init__(self, registry: CollectorRegistry, outbox: AuditOutbox, spool: Spool) -> None:
        self._outbox = outbox
        self._spool = spool
        self._counted = dict.fromkeys(OutboxFigures.__slots__, 0)
        self._events = Counter(
            "audit_events",
            "Business events for the audit trail: written, spooled to the file, replayed from it, or put aside.",
            ("outcome",),
            registry=registry,
        )
        self._waiting = Gauge(
            "audit_spool_bytes",
            "Size of the file that keeps audit events while PostgreSQL is away.",
            registry=registry,
            multiprocess_mode="mostrecent",  # the workers share one file
        )

    def refresh(self) -> None:
        """Add what has come since the last time."""
        for outcome, counted in self._counted.items():
            now = getattr(self._outbox.figures, outcome)
            self._events.labels(outcome).inc(now - counted)
            self._counted[outcome] = now
        self._waiting.set(self._spool.size())
