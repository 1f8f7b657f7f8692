"""Joins what an application says of its connections with what the server shows of its sessions."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from dbvitals.analyse.connection_report import HeldBy
from dbvitals.snapshot_activity import PgBouncerLink, PgBouncerPool, PgBouncerSnapshot, Session
from dbvitals.snapshot_pool import HeldConnection, PoolObservation

LATE_SECONDS = 2.0
"""The application and the server are not asked in the same moment."""


def code_sites(
    observations: Sequence[PoolObservation], bouncers: Sequence[PgBouncerSnapshot], sessions: Iterable[Session]
) -> dict[int, HeldBy]:
    """Who has which session checked out, by process id.

    Behind PgBouncer the process id that a client knows is made up: there the client's port leads to the session. Who
    took the connection after its transaction began is not who began it: an earlier holder did, or it is the connection
    of another server that has the same process id.
    """
    begun = {session.pid: session.transaction_seconds or 0.0 for session in sessions}
    pids = set(begun)
    links = _links_by_port(bouncers)
    found: dict[int, HeldBy] = {}
    for observation in observations:
        for held in observation.connections:
            pid = _session_of(held, links, pids)
            if pid in pids and begun[pid] <= held.seconds + LATE_SECONDS:
                found[pid] = HeldBy(
                    application=observation.application,
                    process=observation.process,
                    seconds=held.seconds,
                    site=held.site,
                    callers=held.callers,
                    route=held.route,
                    tenant_hash=held.tenant_hash,
                )
    return found


def _links_by_port(bouncers: Sequence[PgBouncerSnapshot]) -> Mapping[int, list[PgBouncerLink]]:
    links: dict[int, list[PgBouncerLink]] = defaultdict(list)
    for bouncer in bouncers:
        for link in bouncer.links:
            links[link.client_port].append(link)
    return links


def _session_of(held: HeldConnection, links: Mapping[int, list[PgBouncerLink]], pids: set[int]) -> int:
    """The process id, or 0. Two clients of different machines may have the same port: then it is not known."""
    if held.local_port is not None and held.local_port in links:
        candidates = {link.server_pid for link in links[held.local_port]} & pids
        return candidates.pop() if len(candidates) == 1 else 0
    return held.backend_pid or 0


def via_pgbouncer(bouncers: Sequence[PgBouncerSnapshot]) -> dict[int, str]:
    """The client of a PgBouncer that uses a session right now, by process id."""
    return {
        link.server_pid: f"{link.client_address}:{link.client_port}"
        + (f" ({link.application_name})" if link.application_name else "")
        for bouncer in bouncers
        for link in bouncer.links
    }


def pools_of(bouncer: PgBouncerSnapshot, database: str, pids: Collection[int]) -> tuple[PgBouncerPool, ...]:
    """A console's pools that lead to `database`, whose sessions are `pids`.

    PgBouncer may call it by other names: those under which its clients use one of the sessions.
    """
    names = {database} | {link.database for link in bouncer.links if link.server_pid in pids}
    return tuple(pool for pool in bouncer.pools if pool.database in names)
