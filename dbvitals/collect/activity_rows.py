"""Turns rows of the activity queries into the snapshot's values."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, cast

from dbvitals.collect.reader import Row
from dbvitals.snapshot_activity import (
    ActivityServer,
    AwaitedLock,
    HeldLock,
    HorizonHolder,
    PreparedTransaction,
    Probe,
    Session,
)

HIDDEN = "<insufficient privilege>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the server was reached, and whether through a pooler: what the server itself cannot say."""

    host: str
    port: int
    pooled: bool


def server(row: Row, place: Place) -> ActivityServer:
    """The server as it describes itself."""
    role: Literal["primary", "replica"] = "replica" if row.in_recovery else "primary"
    return ActivityServer(
        version_num=row.version_num,
        version=row.version,
        host=place.host,
        port=place.port,
        database=row.database,
        user=row.user,
        role=role,
        taken_at=row.taken_at,
        started_at=row.started_at,
        pid=row.pid,
        pooled=place.pooled,
        sees_all=row.sees_all,
        max_connections=row.max_connections,
        reserved_connections=row.reserved_connections,
        database_limit=row.database_limit,
        role_limits=dict(zip(row.limited_roles, row.role_limits, strict=True)),
        check_interval=row.check_interval,
        idle_in_transaction_timeout=row.idle_in_transaction_timeout,
        query_size=row.query_size,
    )


@dataclass(frozen=True, slots=True)
class PoolRule:
    """Which sessions are the pool's: of the database connected to, of the role and the applications asked for."""

    database: str
    role: str | None
    applications: tuple[str, ...] | None
    excluded: tuple[str, ...]

    def has(self, row: Row) -> bool:
        """Whether it counts; the same rule as in activity_probe.sql."""
        return (
            row.backend_type in ("client backend", None)
            and row.database == self.database
            and self.role in (None, row.user)
            and (self.applications is None or row.application_name in self.applications)
            and row.application_name not in self.excluded
        )


def probe(row: Row, *, seconds: float, took_seconds: float) -> Probe:
    """One probe; with a single hidden session no count of states is known."""
    known = row.hidden == 0
    return Probe(
        seconds=seconds,
        taken_at=row.taken_at,
        server_sessions=row.server_sessions,
        total=row.total,
        active=row.active if known else None,
        idle=row.idle if known else None,
        idle_in_transaction=row.idle_in_transaction if known else None,
        long_running=row.long_running if known else None,
        blocked=row.blocked if known else None,
        lock_waiters=tuple(sorted(row.lock_waiters or ())),
        leaking=tuple(sorted(row.leaking or ())),
        took_seconds=took_seconds,
    )


def sessions(rows: Iterable[Row], pool: PoolRule) -> tuple[Session, ...]:
    """The sessions by pid; a parallel worker's wait is its leader's."""
    listed = list(rows)
    leaders = {row.pid: row.leader_pid for row in listed if row.leader_pid is not None}
    waits: dict[int, set[int]] = {}
    for row in listed:
        waits.setdefault(leaders.get(row.pid, row.pid), set()).update(leaders.get(pid, pid) for pid in row.blocked_by)
    return tuple(_session(row, pool, waits[row.pid]) for row in listed if row.leader_pid is None)


def _session(row: Row, pool: PoolRule, blocked_by: set[int]) -> Session:
    hidden = row.query == HIDDEN
    return Session(
        pid=row.pid,
        backend_type=row.backend_type,
        mine=pool.has(row),
        database=row.database,
        user=row.user,
        application_name=row.application_name,
        client_address=row.client_address,
        # -1 says that it is a Unix socket.
        client_port=None if row.client_port in (None, -1) else row.client_port,
        state=row.state,
        backend_start=row.backend_start,
        state_change=row.state_change,
        state_seconds=_age(row.state_seconds),
        transaction_seconds=_age(row.transaction_seconds),
        query_seconds=_age(row.query_seconds),
        wait_event_type=row.wait_event_type,
        wait_event=row.wait_event,
        has_xid=row.has_xid,
        xmin_age=row.xmin_age,
        query=None if hidden else row.query or None,
        query_id=row.query_id,
        blocked_by=tuple(sorted(blocked_by - {row.pid})),
    )


def _age(seconds: float | None) -> float | None:
    """Never below zero: a session may have changed after the clock was read."""
    return None if seconds is None else max(0.0, round(seconds, 3))


def locks(rows: Iterable[Row]) -> tuple[tuple[AwaitedLock, ...], tuple[HeldLock, ...]]:
    """The locks that are waited for, and who holds them."""
    listed = list(rows)
    texts = {row.target: _target(row) for row in listed if row.granted}
    texts |= {row.target: _target(row) for row in listed if not row.granted}
    gids: dict[str, list[str]] = {}
    for row in listed:
        if row.gid is not None and row.granted:
            gids.setdefault(row.target, []).append(row.gid)
    awaited = tuple(
        AwaitedLock(
            pid=row.pid,
            target=texts[row.target],
            mode=row.mode,
            waited_seconds=_age(row.waited_seconds),
            prepared_gids=tuple(sorted(set(gids.get(row.target, ())))),
        )
        for row in listed
        if not row.granted
    )
    held = {
        HeldLock(pid=row.pid, target=texts[row.target], mode=row.mode)
        for row in listed
        if row.granted and row.pid is not None
    }
    return awaited, tuple(sorted(held, key=lambda lock: (lock.pid, lock.target, lock.mode)))


def _target(row: Row) -> str:
    """What is locked, in words."""
    match row.locktype:
        case "relation":
            return f"table {row.relation}"
        case "tuple":
            return f"row of {row.relation}"
        case "transactionid":
            return f"row of {row.row_of}" if row.row_of else "a transaction's end"
        case "advisory":
            return f"advisory lock {_advisory(row)}"
        case "virtualxid":
            return "a transaction's end"
        case kind:
            return f"{kind} {row.relation}" if row.relation else str(kind)


def _advisory(row: Row) -> str:
    """The key as it was given: one bigint, or two ints."""
    if row.objsubid != 1:
        return f"({row.classid}, {row.objid})"
    key = (row.classid << 32) | row.objid
    return str(key - 2**64 if key >= 2**63 else key)


def prepared(rows: Iterable[Row]) -> tuple[PreparedTransaction, ...]:
    """Prepared transactions, oldest first."""
    return tuple(
        PreparedTransaction(
            gid=row.gid, database=row.database, owner=row.owner, seconds=_age(row.seconds) or 0.0, xid_age=row.xid_age
        )
        for row in rows
    )


def horizon(rows: Iterable[Row]) -> tuple[HorizonHolder, ...]:
    """Who holds the horizon, oldest first."""
    return tuple(
        HorizonHolder(
            kind=cast(Literal["session", "prepared transaction", "replication slot", "standby"], row.kind),
            name=row.name or "",
            pid=row.pid,
            age=row.age,
        )
        for row in rows
    )
