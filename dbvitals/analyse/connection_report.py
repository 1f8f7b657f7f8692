"""The report of `dbvitals connections`: the sections of .playbook/connection_pool_report.json."""

from typing import Literal

from msgspec import Struct

from dbvitals.analyse.index_report import Cost, Moment
from dbvitals.analyse.pool_sizing import PoolAdvice
from dbvitals.model import Finding, Recommendation, Severity, Skipped, Target, Tool
from dbvitals.snapshot_activity import HorizonHolder, PgBouncerSnapshot, PreparedTransaction
from dbvitals.snapshot_pool import PoolObservation

SCHEMA_VERSION = "1.0"


class Summary(Struct, frozen=True, kw_only=True):
    """The figures of the guide, and those beside them. What could not be seen is null, never 0.

    Connections are clients' sessions of the database, without the tool's own. `pool_utilization_percent` is total by
    capacity, the guide's: a warm pool is full of idle connections. `pool_busy_percent` counts only those that are in a
    query or a transaction. Both are null for a pool without limit; the first is 100 when the server refuses
    connections, for then no pool can grow. The peaks are those of the watch.
    """

    total_connections: int | None
    active_connections: int | None
    idle_connections: int | None
    idle_in_transaction: int | None
    other_connections: int | None
    long_running_queries: int | None
    pool_utilization_percent: float | None
    pool_busy_percent: float | None
    overflow_in_use: int | None
    pool_size_configured: int
    max_overflow_configured: int
    pool_capacity: int | None
    waiting_connections: int | None
    blocked_connections: int | None
    hidden_connections: int | None
    excluded_connections: int
    server_connections: int | None
    server_max_connections: int | None
    server_connections_percent: float | None
    peak_connections: int | None = None
    peak_utilization_percent: float | None = None
    peak_busy_percent: float | None = None


class HeldBy(Struct, frozen=True, kw_only=True):
    """Who in the application has a connection checked out, since when, and on which line."""

    application: str
    process: int
    seconds: float
    site: str | None
    callers: tuple[str, ...]
    route: str | None
    tenant_hash: str | None


class Connection(Struct, frozen=True, kw_only=True):
    """One session. Literals of the query are replaced by `$n`. `activity` says what it is doing, in words.

    `via` is the client of a PgBouncer that uses the session right now, `held_by` the code that has it checked out.
    """

    pid: int
    user: str | None
    application_name: str
    client: str | None
    state: str | None
    state_seconds: float | None
    transaction_seconds: float | None
    query_seconds: float | None
    query: str | None
    wait_event: str | None
    blocked_by: tuple[int, ...]
    activity: str
    client_gone: bool | None
    backend_start: Moment | None
    state_change: Moment | None
    via: str | None = None
    held_by: HeldBy | None = None


class Blocker(Struct, frozen=True, kw_only=True):
    """A session, or a prepared transaction (pid 0), in a tree of those that wait for each other.

    `blocked_by` has every edge of pg_blocking_pids; `blocks` each victim once, below the nearest of its blockers.
    `victim_seconds` adds up how long all of its victims have waited. `deadlock`: it waits for one of its own victims.
    `statement`, of a root only, ends its transaction if it is still the same one; nobody has run it.
    """

    pid: int
    kind: str
    gid: str | None
    user: str | None
    application_name: str
    database: str | None
    state: str | None
    state_seconds: float | None
    transaction_seconds: float | None
    query: str | None
    holds: tuple[str, ...]
    waits_for: str | None
    waited_seconds: float | None
    blocked_by: tuple[int, ...]
    victims: int
    victim_seconds: float
    deadlock: bool
    statement: str | None
    held_by: HeldBy | None
    blocks: tuple["Blocker", ...]


class ApplicationConnections(Struct, frozen=True, kw_only=True):
    """The sessions of one application under one role; null where states are hidden."""

    application_name: str
    user: str | None
    total: int
    active: int | None
    idle: int | None
    idle_in_transaction: int | None


class StateConnections(Struct, frozen=True, kw_only=True):
    """How many sessions are in a state; they add up to the total. `unknown` are those that cannot be seen into."""

    state: str
    connections: int
    longest_seconds: float | None


class OtherDatabase(Struct, frozen=True, kw_only=True):
    """Clients of the server that are not the pool's."""

    database: str
    connections: int


class Range(Struct, frozen=True, kw_only=True):
    """The least, mean and peak of a figure within an interval; null where it could not be seen."""

    minimum: float
    mean: float
    peak: float


class Sample(Struct, frozen=True, kw_only=True):
    """One interval of the watch. `probes` looks were taken in it; `gap_seconds` of it the server was away.

    `above_threshold_seconds` is how long utilisation was above the threshold, null without one or without a limit.
    """

    started_at: Moment
    seconds: float
    probes: int
    gap_seconds: float
    total_connections: Range | None
    active_connections: Range | None
    idle_connections: Range | None
    idle_in_transaction: Range | None
    long_running_queries: Range | None
    blocked_connections: Range | None
    pool_utilization_percent: Range | None
    pool_busy_percent: Range | None
    above_threshold_seconds: float | None


class Gap(Struct, frozen=True, kw_only=True):
    """A time without a server; process ids of before mean nothing after it."""

    started_at: Moment
    seconds: float
    why: str


class Sighting(Struct, frozen=True, kw_only=True):
    """A blocking tree, or a session that left its transaction open, as the watch saw it last.

    `first_seconds` and `last_seconds` count from the beginning of the watch.
    """

    first_seen: Moment
    first_seconds: float
    last_seconds: float
    tree: Blocker | None
    leak: Connection | None


class Watched(Struct, frozen=True, kw_only=True):
    """What watching cost: shares of one core, null where they cannot be measured. `probes_per_second` as achieved."""

    seconds: float
    probes: int
    probes_per_second: float
    server_core_percent: float | None
    client_core_percent: float
    slowed_down: bool


class Fleet(Struct, frozen=True, kw_only=True):
    """All processes' pools together against what the server gives. `demand` is null for a pool without limit."""

    processes: int
    processes_from: Literal["given", "application", "application names", "assumed"]
    capacity_each: int | None
    demand: int | None
    supply: int
    limited_by: str
    oversubscribed: float | None
    processes_that_fit: int | None


class PoolSizing(Struct, frozen=True, kw_only=True):
    """How large one process's pool should be, by what the busiest process of the application measured."""

    application: str
    pool: str
    process: int
    advice: PoolAdvice


class ConnectionReport(Struct, frozen=True, kw_only=True):
    """The whole report. Lists are sorted by importance, then by process id or name."""

    schema_version: str
    tool: Tool
    generated_at: Moment
    duration_seconds: float
    target: Target
    cost: Cost
    summary: Summary
    server_full: str | None
    """Why the server refused the login, when it did for want of a connection."""
    server_lost: str | None = None
    """Why there was no server at the end of the watch: the figures are those of the last look before."""
    samples: tuple[Sample, ...] = ()
    gaps: tuple[Gap, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    watched: Watched | None = None
    connections: tuple[Connection, ...] = ()
    long_running_queries: tuple[Connection, ...] = ()
    idle_in_transaction: tuple[Connection, ...] = ()
    blocking: tuple[Blocker, ...] = ()
    by_application: tuple[ApplicationConnections, ...] = ()
    by_state: tuple[StateConnections, ...] = ()
    other_databases: tuple[OtherDatabase, ...] = ()
    prepared_transactions: tuple[PreparedTransaction, ...] = ()
    horizon: tuple[HorizonHolder, ...] = ()
    fleet: Fleet | None = None
    pools: tuple[PoolObservation, ...] = ()
    sizing: tuple[PoolSizing, ...] = ()
    pgbouncer: tuple[PgBouncerSnapshot, ...] = ()
    findings: tuple[Finding, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    incomplete: tuple[Skipped, ...] = ()

    @property
    def worst(self) -> Severity | None:
        """The severity of the worst finding, None when there is none."""
        return min((finding.severity for finding in self.findings), key=lambda s: s.rank, default=None)
