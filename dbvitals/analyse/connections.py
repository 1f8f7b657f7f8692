"""Judges a server's sessions: counts, lists, trees, findings; gives the report."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dbvitals.analyse.blocking import TreeContext, blocking_trees
from dbvitals.analyse.code_sites import code_sites, pools_of, via_pgbouncer
from dbvitals.analyse.connection_advice import recommend
from dbvitals.analyse.connection_findings import findings
from dbvitals.analyse.connection_groups import by_application, by_state, other_databases
from dbvitals.analyse.connection_picture import Picture
from dbvitals.analyse.connection_report import (
    SCHEMA_VERSION,
    Connection,
    ConnectionReport,
    Gap,
    HeldBy,
    Sample,
    Sighting,
    Summary,
    Watched,
)
from dbvitals.analyse.connection_thresholds import ConnectionThresholds
from dbvitals.analyse.fleet import PoolConfig, weigh
from dbvitals.analyse.index_report import Cost
from dbvitals.analyse.session_text import (
    ACTIVE,
    IDLE_IN_TRANSACTION,
    activity,
    client,
    is_hidden,
    is_idle_in_transaction,
    query_text,
    wait_event,
)
from dbvitals.analyse.sql_text import quote_ident
from dbvitals.model import Skipped, Target, Tool
from dbvitals.snapshot_activity import ActivitySnapshot, PgBouncerSnapshot, Session
from dbvitals.snapshot_pool import PoolObservation


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What the watch kept of the time before the last look."""

    samples: tuple[Sample, ...] = ()
    gaps: tuple[Gap, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    watched: Watched | None = None

    def peak(self, figure: str) -> float | None:
        """The highest of a figure in all intervals; None when it was never seen."""
        ranges = (getattr(sample, figure) for sample in self.samples)
        return max((found.peak for found in ranges if found is not None), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked, beside what was seen."""

    pool: PoolConfig
    thresholds: ConnectionThresholds
    tool_version: str
    duration_seconds: float
    show_literals: bool = False
    bouncers: tuple[PgBouncerSnapshot, ...] = ()
    observations: tuple[PoolObservation, ...] = ()
    watching: Watching = field(default_factory=Watching)
    also_incomplete: tuple[Skipped, ...] = ()
    server_lost: str | None = None

    def waiting_for(self, database: str, pids: Collection[int]) -> int | None:
        """Who waits for a connection to `database`, whose sessions are `pids`.

        Only the application and PgBouncer know, the server does not.
        """
        if not self.observations and not self.bouncers:
            return None
        pools = [pool for seen in self.bouncers for pool in pools_of(seen, database, pids)]
        return sum(seen.pool.pending for seen in self.observations) + sum(pool.clients_waiting or 0 for pool in pools)


def analyse_connections(snapshot: ActivitySnapshot, question: Question) -> ConnectionReport:
    """Judge what was seen. The same snapshot and question give the same report."""
    mine = [session for session in snapshot.sessions if session.mine]
    held = code_sites(question.observations, question.bouncers, mine)
    listed = connection_rows(mine, question, held)
    summary = _summary(snapshot, mine, question)
    trees = blocking_trees(snapshot, TreeContext(held_by=held, show_literals=question.show_literals))
    fleet = weigh(question.pool, snapshot.server, {session.user or "" for session in mine}, question.bouncers)
    incomplete = (*_unseen(snapshot), *snapshot.skipped, *question.also_incomplete)
    picture = Picture(
        server=snapshot.server,
        summary=summary,
        pool=question.pool,
        thresholds=question.thresholds,
        connections=listed,
        blocking=trees,
        fleet=fleet,
        prepared=snapshot.prepared,
        horizon=snapshot.horizon,
        bouncers=question.bouncers,
        observations=question.observations,
        sightings=question.watching.sightings,
        pinning=frozenset(session.pid for session in mine if session.has_xid or session.xmin_age is not None),
        peak_idle_in_transaction=question.watching.peak("idle_in_transaction"),
        peak_long_running=question.watching.peak("long_running_queries"),
    )
    found = findings(picture)
    return ConnectionReport(
        schema_version=SCHEMA_VERSION,
        tool=Tool(name="dbvitals", version=question.tool_version),
        generated_at=snapshot.server.taken_at,
        duration_seconds=round(question.duration_seconds, 3),
        target=_target(snapshot),
        cost=Cost(statements=snapshot.statements, query_seconds=round(snapshot.query_seconds, 4)),
        summary=summary,
        server_full=None,
        server_lost=question.server_lost,
        samples=question.watching.samples,
        gaps=question.watching.gaps,
        sightings=question.watching.sightings,
        watched=question.watching.watched,
        connections=listed,
        long_running_queries=picture.long_running,
        idle_in_transaction=picture.idle_in_transaction,
        blocking=trees,
        by_application=by_application(mine),
        by_state=by_state(mine),
        other_databases=other_databases(snapshot),
        prepared_transactions=snapshot.prepared,
        horizon=snapshot.horizon,
        fleet=fleet,
        pools=question.observations,
        pgbouncer=question.bouncers,
        findings=found,
        recommendations=recommend(picture, found),
        incomplete=incomplete,
    )


def connection_rows(
    sessions: Iterable[Session], question: Question, held: Mapping[int, HeldBy]
) -> tuple[Connection, ...]:
    """The sessions as the report lists them: in a transaction and silent first, then the busy, the idle last."""
    clients = via_pgbouncer(question.bouncers)
    ordered = sorted(sessions, key=lambda s: (_weight(s), -(s.state_seconds or 0.0), s.pid))
    return tuple(
        Connection(
            pid=session.pid,
            user=session.user,
            application_name=session.application_name,
            client=client(session),
            state=session.state,
            state_seconds=session.state_seconds,
            transaction_seconds=session.transaction_seconds,
            query_seconds=session.query_seconds,
            query=query_text(session, show_literals=question.show_literals),
            wait_event=wait_event(session),
            blocked_by=session.blocked_by,
            activity=activity(session),
            client_gone=session.client_gone,
            backend_start=session.backend_start,
            state_change=session.state_change,
            via=clients.get(session.pid),
            held_by=held.get(session.pid),
        )
        for session in ordered
    )


def _weight(session: Session) -> int:
    order = (*IDLE_IN_TRANSACTION, *ACTIVE)
    if session.state in order:
        return order.index(session.state)
    return len(order) + (session.state == "idle")


def _summary(snapshot: ActivitySnapshot, mine: Sequence[Session], question: Question) -> Summary:
    server, pool, peak = snapshot.server, question.pool, question.watching.peak("total_connections")
    total = len(mine)
    hidden = sum(is_hidden(session) for session in mine)
    active = sum(session.state in ACTIVE for session in mine)
    idle = sum(session.state == "idle" for session in mine)
    in_transaction = sum(is_idle_in_transaction(session) for session in mine)
    long = sum((session.query_seconds or 0.0) > question.thresholds.long_query_seconds for session in mine)
    in_database = {session.pid for session in snapshot.sessions if session.database == server.database}
    # The tool's own connection takes a slot, too.
    on_server = 1 + sum(session.backend_type in ("client backend", None) for session in snapshot.sessions)

    def seen(number: int) -> int | None:
        return None if hidden else number

    return Summary(
        total_connections=total,
        active_connections=seen(active),
        idle_connections=seen(idle),
        idle_in_transaction=seen(in_transaction),
        other_connections=seen(total - active - idle - in_transaction),
        long_running_queries=seen(long),
        pool_utilization_percent=pool.percent_of(total),
        pool_busy_percent=None if hidden else pool.percent_of(total - idle),
        overflow_in_use=pool.overflow_of(total),
        pool_size_configured=pool.size,
        max_overflow_configured=pool.max_overflow,
        pool_capacity=pool.capacity,
        waiting_connections=question.waiting_for(server.database, in_database),
        blocked_connections=seen(sum(bool(session.blocked_by) for session in mine)),
        hidden_connections=hidden,
        excluded_connections=snapshot.excluded,
        server_connections=on_server,
        server_max_connections=server.max_connections,
        server_connections_percent=round(on_server / server.max_connections * 100, 2),
        peak_connections=None if peak is None else round(peak),
        peak_utilization_percent=None if peak is None else pool.percent_of(round(peak)),
        peak_busy_percent=question.watching.peak("pool_busy_percent"),
    )


def _unseen(snapshot: ActivitySnapshot) -> tuple[Skipped, ...]:
    server, parts = snapshot.server, []
    hidden = sum(is_hidden(session) for session in snapshot.sessions if session.mine)
    if hidden:
        parts.append(
            Skipped(
                part="states of sessions",
                why=f"this login cannot see into {hidden} of {sum(s.mine for s in snapshot.sessions)} sessions",
                mend=f"GRANT pg_monitor TO {quote_ident(server.user)};",
            )
        )
    elif not server.sees_all:
        parts.append(
            Skipped(
                part="sessions of other roles, standbys",
                why="this login sees its own sessions only; there is no other one here now",
                mend=f"GRANT pg_monitor TO {quote_ident(server.user)};",
            )
        )
    if server.pooled:
        parts.append(
            Skipped(
                part="direct connection",
                why=f"{server.host}:{server.port} is a pooler: the look took one of its connections, and no time-out "
                "could be set",
                mend="give --dsn the server itself, and the pooler's console to --pgbouncer",
            )
        )
    return tuple(parts)


def _target(snapshot: ActivitySnapshot) -> Target:
    server = snapshot.server
    return Target(
        host=server.host,
        port=server.port,
        database=server.database,
        user=server.user,
        server_version=server.version,
        role=server.role,
    )
