"""The report of a server that has no connection left: that is the finding, with all that is known without one."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import structs

from dbvitals.analyse.connection_advice import recommend
from dbvitals.analyse.connection_findings import findings
from dbvitals.analyse.connection_picture import Picture, ref
from dbvitals.analyse.connection_report import SCHEMA_VERSION, ConnectionReport, Summary
from dbvitals.analyse.connections import Question
from dbvitals.analyse.index_report import Cost
from dbvitals.analyse.sql_text import quote_ident
from dbvitals.model import Finding, Recommendation, Skipped, Target, Tool

FULL = 100.0

_RULE, _CATEGORY = "CON005", "server_full"
_LIMIT = re.compile(r'too many connections for (role|database) "(.*)"', re.DOTALL)


class Limit(NamedTuple):
    """Who has reached a connection limit of its own: the server may have connections for others."""

    kind: str
    """`role` or `database`."""
    name: str

    @property
    def exempt(self) -> str:
        """Whom the limit does not keep out."""
        return "another role" if self.kind == "role" else "a superuser's role"


def refused(target: Target, why: str, now: datetime, question: Question) -> ConnectionReport:
    """Utilisation is 100 %: whatever the pool holds, it can have no more. What only the server knows is null.

    So it is when the role has reached a limit of its own, for the login need not be the pool's.
    """
    pool, limit = question.pool, limit_of(why)
    summary = Summary(
        total_connections=None,
        active_connections=None,
        idle_connections=None,
        idle_in_transaction=None,
        other_connections=None,
        long_running_queries=None,
        pool_utilization_percent=None if limit and limit.kind == "role" else FULL,
        pool_busy_percent=None,
        overflow_in_use=None,
        pool_size_configured=pool.size,
        max_overflow_configured=pool.max_overflow,
        pool_capacity=pool.capacity,
        waiting_connections=question.waiting_for(target.database, ()),
        blocked_connections=None,
        hidden_connections=None,
        excluded_connections=0,
        server_connections=None,
        server_max_connections=None,
        server_connections_percent=None if limit else FULL,
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
    advice = recommend(picture, found)
    others = limit.exempt if limit else "a role that has reserved ones"
    unseen = Skipped(part="sessions", why=why, mend=f"free a connection, or log in with {others}")
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
        findings=_findings_of(limit, found, why) if limit else found,
        recommendations=_advice_of(limit, advice) if limit else advice,
        incomplete=(unseen, *question.also_incomplete),
    )


def limit_of(why: str) -> Limit | None:
    """The limit that the server's own words name; None when the server itself is full."""
    found = _LIMIT.search(why)
    return Limit(found[1], found[2]) if found else None


def _findings_of(limit: Limit, found: Sequence[Finding], why: str) -> tuple[Finding, ...]:
    message = f"the {limit.kind} has as many connections as its own limit allows, others may have more: {why}"
    subject = ref(limit.kind, limit.name)
    return tuple(structs.replace(f, subject=subject, message=message) if f.rule == _RULE else f for f in found)


def _advice_of(limit: Limit, found: Sequence[Recommendation]) -> tuple[Recommendation, ...]:
    raised = f"ALTER {limit.kind.upper()} {quote_ident(limit.name)} CONNECTION LIMIT n;"
    changes = {
        "category": "connection_limit",
        "message": f"The {limit.kind} {limit.name} has reached its own connection limit. "
        f"Impact: nobody else can connect {'as' if limit.kind == 'role' else 'to'} it",
        "action": f"1. End what is idle in transaction, or make the pools smaller. 2. Raise the limit: {raised} "
        "-1 is no limit, no restart is needed.",
    }
    return tuple(structs.replace(each, **changes) if each.category == _CATEGORY else each for each in found)
