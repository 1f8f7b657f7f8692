"""The report of a server that has no connection left: that is the finding, with all that is known without one."""

from datetime import datetime

from dbvitals.analyse.connection_advice import recommend
from dbvitals.analyse.connection_findings import findings
from dbvitals.analyse.connection_picture import Picture
from dbvitals.analyse.connection_report import SCHEMA_VERSION, ConnectionReport, Summary
from dbvitals.analyse.connections import Question
from dbvitals.analyse.index_report import Cost
from dbvitals.model import Skipped, Target, Tool

FULL = 100.0


def refused(target: Target, why: str, now: datetime, question: Question) -> ConnectionReport:
    """Utilisation is 100 %: whatever the pool holds, it can have no more. What only the server knows is null."""
    pool = question.pool
    summary = Summary(
        total_connections=None,
        active_connections=None,
        idle_connections=None,
        idle_in_transaction=None,
        other_connections=None,
        long_running_queries=None,
        pool_utilization_percent=FULL,
        pool_busy_percent=None,
        overflow_in_use=None,
        pool_size_configured=pool.size,
        max_overflow_configured=pool.max_overflow,
        pool_capacity=pool.capacity,
        waiting_connections=question.clients_waiting,
        blocked_connections=None,
        hidden_connections=None,
        excluded_connections=0,
        server_connections=None,
        server_max_connections=None,
        server_connections_percent=FULL,
    )
    picture = Picture(
        server=None,
        summary=summary,
        pool=pool,
        thresholds=question.thresholds,
        bouncers=question.bouncers,
        observations=question.observations,
        refusal=why,
    )
    found = findings(picture)
    unseen = Skipped(part="sessions", why=why, mend="free a connection, or log in with a role that has reserved ones")
    return ConnectionReport(
        schema_version=SCHEMA_VERSION,
        tool=Tool(name="dbvitals", version=question.tool_version),
        generated_at=now,
        duration_seconds=round(question.duration_seconds, 3),
        target=target,
        cost=Cost(statements=0, query_seconds=0.0),
        summary=summary,
        server_full=why,
        samples=question.watching.samples,
        gaps=question.watching.gaps,
        sightings=question.watching.sightings,
        watched=question.watching.watched,
        pools=question.observations,
        pgbouncer=question.bouncers,
        findings=found,
        recommendations=recommend(picture, found),
        incomplete=(unseen, *question.also_incomplete),
    )
