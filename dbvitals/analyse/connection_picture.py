"""Everything that the rules about connections look at, and the words and figures that they share."""

from dataclasses import dataclass

from dbvitals.analyse.connection_report import Blocker, Connection, Fleet, Sighting, Summary
from dbvitals.analyse.connection_thresholds import ConnectionThresholds
from dbvitals.analyse.fleet import PoolConfig
from dbvitals.analyse.session_text import IDLE_IN_TRANSACTION
from dbvitals.analyse.termination import ending_statement
from dbvitals.model import Action, Evidence, Ref
from dbvitals.snapshot_activity import ActivityServer, HorizonHolder, PgBouncerSnapshot, PreparedTransaction
from dbvitals.snapshot_pool import PoolObservation

FULL_PERCENT = 100.0

MORE_PROCESSES = (
    "more than one process has such a pool: give --processes N, or --application NAME where others are counted, too"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything that the rules look at. `server` is None when it had no connection left to be looked at with."""

    server: ActivityServer | None
    summary: Summary
    pool: PoolConfig
    thresholds: ConnectionThresholds
    connections: tuple[Connection, ...] = ()
    blocking: tuple[Blocker, ...] = ()
    fleet: Fleet | None = None
    prepared: tuple[PreparedTransaction, ...] = ()
    horizon: tuple[HorizonHolder, ...] = ()
    bouncers: tuple[PgBouncerSnapshot, ...] = ()
    observations: tuple[PoolObservation, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    pinning: frozenset[int] = frozenset()
    """Process ids of sessions whose transaction keeps rows from VACUUM."""
    peak_idle_in_transaction: float | None = None
    """Of the watch, as is the next; None without one, or where it could not be seen."""
    peak_long_running: float | None = None
    refusal: str | None = None

    @property
    def long_running(self) -> tuple[Connection, ...]:
        """Queries that run for too long, longest first."""
        found = [c for c in self.connections if (c.query_seconds or 0.0) > self.thresholds.long_query_seconds]
        return tuple(sorted(found, key=lambda c: (-(c.query_seconds or 0.0), c.pid)))

    @property
    def idle_in_transaction(self) -> tuple[Connection, ...]:
        """Open transactions that do nothing, aborted ones included, longest first."""
        found = [c for c in self.connections if c.state in IDLE_IN_TRANSACTION]
        return tuple(sorted(found, key=lambda c: (-(c.state_seconds or 0.0), c.pid)))

    @property
    def utilization(self) -> float | None:
        """The higher of now and the watch's peak."""
        return _higher(self.summary.pool_utilization_percent, self.summary.peak_utilization_percent)

    @property
    def busy(self) -> float | None:
        """The same of `pool_busy_percent`: a pool that was exhausted and rests now is not a warm one."""
        return _higher(self.summary.pool_busy_percent, self.summary.peak_busy_percent)

    @property
    def most_idle_in_transaction(self) -> float | None:
        """The same of `idle_in_transaction`."""
        return _higher(self.summary.idle_in_transaction, self.peak_idle_in_transaction)

    @property
    def has_more_processes(self) -> bool:
        """Whether more connections are open than the one process, which was assumed, can have."""
        percent = self.utilization
        return self.pool.processes_from == "assumed" and percent is not None and percent > FULL_PERCENT


def _higher(now: float | None, peak: float | None) -> float | None:
    return max((percent for percent in (now, peak) if percent is not None), default=None)


def idle_in_transaction_words(picture: Picture) -> str:
    """How many are, or were at the peak."""
    now, most = picture.summary.idle_in_transaction, picture.most_idle_in_transaction
    if most == now:
        return f"{now} connections are idle in transaction"
    end = "an unknown number" if now is None else now
    return f"{most:g} connections were idle in transaction at the peak, {end} at the end"


def is_warm(picture: Picture) -> bool:
    """Whether the pool is full of connections that do nothing, and nobody is known to wait for one."""
    busy, pending = picture.busy, picture.summary.waiting_connections
    return busy is not None and busy <= picture.thresholds.utilization_medium_percent and not pending


def warm_or_exhausted(picture: Picture) -> str:
    """Which of the two utilisations is bad."""
    busy, pending = picture.busy, picture.summary.waiting_connections
    if pending:
        return f"{pending} wait for one: the pool is exhausted"
    if busy is None:
        return "how many of them are busy cannot be seen"
    if is_warm(picture):
        # A connection that is out without a transaction is idle to the server: such a pool may be exhausted.
        unknown = "; whether anybody waits is not known: --app tells" if pending is None else ""
        return f"only {busy:g} % of the capacity is busy: the pool is warm, not exhausted{unknown}"
    return f"{busy:g} % of the capacity is busy: the pool is about to be exhausted"


def site_words(connection: Connection) -> str:
    """Where the application took the connection, if it told."""
    held = connection.held_by
    if held is None or held.site is None:
        return ""
    return f", checked out at {held.site}" + (f" by {held.route}" if held.route else "")


def ref(kind: str, name: str) -> Ref:
    """Name a thing that is no relation."""
    return Ref(kind=kind, schema="", name=name)


def session_ref(connection: Connection) -> Ref:
    """Name a session."""
    return ref("session", f"pid {connection.pid}")


def seconds(name: str, value: float | None) -> Evidence:
    """A span as evidence."""
    return Evidence(name=name, value=value, unit="seconds")


def number(name: str, value: float | None, unit: str = "connections") -> Evidence:
    """A count as evidence."""
    return Evidence(name=name, value=value, unit=unit)


def ending_action(connection: Connection) -> Action | None:
    """How to end what a session does."""
    return ending(ending_statement(connection))


def ending(statement: str | None) -> Action | None:
    """How to run a statement that ends something; None without one."""
    if statement is None:
        return None
    return Action(
        summary="end it, if it is still the same one; pg_signal_backend is needed",
        statement=statement,
        lock="none",
        takes="milliseconds; its work is rolled back",
        reversible=False,
    )
