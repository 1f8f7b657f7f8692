"""How many connections all processes may ask for, and how many the server can give them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dbvitals.analyse.connection_report import Fleet
from dbvitals.snapshot_activity import ActivityServer, PgBouncerSnapshot, Session
from dbvitals.snapshot_pool import PoolObservation

ProcessesFrom = Literal["given", "application", "application names", "assumed"]

_NUMBERED = re.compile(r"^(.*?)[-_:./#@ ]\d+$")
"""An application name that ends in a number of its process: `hotel-4711`, `hotel:2`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig:
    """A pool as SQLAlchemy is told to make it, and how many processes have one.

    As there, size 0 or a negative `max_overflow` means that the pool has no limit.
    """

    size: int
    max_overflow: int
    processes: int = 1
    processes_from: ProcessesFrom = "assumed"

    @property
    def unlimited(self) -> bool:
        """Whether the pool grows until the server refuses."""
        return self.size == 0 or self.max_overflow < 0

    @property
    def each(self) -> int | None:
        """The most connections of one process; None without a limit."""
        return None if self.unlimited else self.size + self.max_overflow

    @property
    def capacity(self) -> int | None:
        """The most connections of all processes; None without a limit."""
        return None if self.each is None else self.each * self.processes

    def overflow_of(self, total: int) -> int:
        """How many of so many connections must lie beyond the base sizes."""
        return 0 if self.size == 0 else max(0, total - self.size * self.processes)

    def percent_of(self, connections: int) -> float | None:
        """The guide's utilisation: a share of the capacity, 0..100 and above; None without a limit."""
        return round(connections / self.capacity * 100, 2) if self.capacity else None


def count_processes(
    given: int | None, observations: Sequence[PoolObservation], sessions: Iterable[Session]
) -> tuple[int, ProcessesFrom]:
    """How many processes have a pool: as told, as counted at `--app`, by numbered application names, or else one."""
    if given is not None:
        return given, "given"
    if observations:
        return _processes(observations), "application"
    names = {session.application_name for session in sessions if session.mine}
    bases = Counter(match[1] for name in names if (match := _NUMBERED.match(name)))
    return (max(bases.values()), "application names") if bases and max(bases.values()) > 1 else (1, "assumed")


def _processes(observations: Sequence[PoolObservation]) -> int:
    """Each has a pool of each name. Process ids do not count: in containers all of them may be 1."""
    pools = Counter((seen.application, seen.pool.name) for seen in observations)
    most: dict[str, int] = {}
    for (application, _), number in pools.items():
        most[application] = max(number, most.get(application, 0))
    return sum(most.values())


def weigh(
    pool: PoolConfig, server: ActivityServer, roles: Iterable[str], bouncers: Sequence[PgBouncerSnapshot]
) -> Fleet:
    """Compare the most that all processes can ask for with the least that something on the way gives."""
    limits = {"max_connections less the reserved": server.max_connections - server.reserved_connections}
    if server.database_limit is not None:
        limits[f"CONNECTION LIMIT of database {server.database}"] = server.database_limit
    for role in sorted(set(roles) & server.role_limits.keys()):
        limits[f"CONNECTION LIMIT of role {role}"] = server.role_limits[role]
    limits |= _through(bouncers)
    limited_by = min(limits, key=lambda name: (limits[name], name))
    supply, demand = max(0, limits[limited_by]), pool.capacity
    return Fleet(
        processes=pool.processes,
        processes_from=pool.processes_from,
        capacity_each=pool.each,
        demand=demand,
        supply=supply,
        limited_by=limited_by,
        oversubscribed=None if demand is None or not supply else round(demand / supply, 2),
        processes_that_fit=None if pool.each is None else supply // pool.each,
    )


def _through(bouncers: Sequence[PgBouncerSnapshot]) -> dict[str, int]:
    """What all PgBouncers give together; one without a maximum gives whatever the server does."""
    most = [seen.max_server_connections for seen in bouncers if seen.max_server_connections is not None]
    if not most or len(most) < len(bouncers):
        return {}
    return {f"PgBouncer {' + '.join(sorted(seen.address for seen in bouncers))}": sum(most)}
