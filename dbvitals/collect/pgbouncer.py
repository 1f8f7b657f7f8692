"""Reads a PgBouncer's console: who waits there, and which client uses which server process right now.

The console speaks the simple protocol only: no parameters, no prepared statements, no transaction. Columns are read
by name, for each version has others; one that is missing is None. `stats_users` may do all of this.
"""

import contextlib
import re
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row

from dbvitals.collect.postgres import first_line
from dbvitals.errors import ServerError
from dbvitals.settings import PostgresTarget, Timeouts
from dbvitals.snapshot_activity import PgBouncerLink, PgBouncerPool, PgBouncerSnapshot

CONSOLE = "pgbouncer"
"""The console's database; a DSN that names none means it."""

Row = Mapping[str, Any]


def read_pgbouncer(target: PostgresTarget, timeouts: Timeouts, database: str) -> PgBouncerSnapshot:
    """Read one console; `database` is the PostgreSQL database in question. Raises ServerError."""
    parameters = target.connect_kwargs()
    place = f"PgBouncer {parameters.get('host') or parameters.get('hostaddr', '')}:{parameters.get('port', '')}"
    try:
        with contextlib.closing(
            psycopg.connect(
                **parameters,
                connect_timeout=max(1, round(timeouts.connect)),
                application_name="dbvitals",
                autocommit=True,
                prepare_threshold=None,
            )
        ) as connection:
            return read_console(connection, place.removeprefix("PgBouncer "), database)
    except psycopg.Error as error:
        raise ServerError(
            f"{place} could not be read: {first_line(error)}",
            mend=f"give the DSN of its console (database {CONSOLE}) and a login of stats_users or admin_users",
        ) from error


def read_console(connection: psycopg.Connection[Any], address: str, database: str) -> PgBouncerSnapshot:
    """Read over an open connection; for `address` see PgBouncerSnapshot."""
    databases = {row["name"]: row for row in _show(connection, b"SHOW DATABASES")}
    # Sockets are read before servers: a link that changes in between is missed rather than wrong.
    clients = _show(connection, b"SHOW CLIENTS")
    servers = {row["ptr"]: row for row in _show(connection, b"SHOW SERVERS")}
    named = {name for name, row in databases.items() if row.get("database") == database}
    return PgBouncerSnapshot(
        address=address,
        version=_version(connection),
        pools=tuple(pool_of(row, databases) for row in _show(connection, b"SHOW POOLS") if row["database"] != CONSOLE),
        links=tuple(link for row in clients if (link := link_of(row, servers)) is not None),
        max_server_connections=most_connections([databases[name] for name in sorted(named)]),
    )


def _show(connection: psycopg.Connection[Any], statement: bytes) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement).fetchall()


def _version(connection: psycopg.Connection[Any]) -> str:
    (row,) = _show(connection, b"SHOW VERSION")
    found = re.search(r"\d+(?:\.\d+)+", str(row.get("version", "")))
    return found[0] if found else "unknown"


def pool_of(row: Row, databases: Mapping[str, Row]) -> PgBouncerPool:
    """A row of SHOW POOLS with those of SHOW DATABASES, by name."""
    settings = databases.get(row["database"], {})
    return PgBouncerPool(
        database=row["database"],
        user=row["user"],
        mode=row.get("pool_mode"),
        clients_active=_number(row, "cl_active"),
        clients_waiting=_number(row, "cl_waiting"),
        servers_active=_number(row, "sv_active"),
        servers_idle=_number(row, "sv_idle"),
        servers_used=_number(row, "sv_used"),
        max_wait_seconds=_wait(row),
        size=_number(settings, "pool_size"),
        reserve=_number(settings, "reserve_pool_size")
        if "reserve_pool_size" in settings
        else _number(settings, "reserve_pool"),
    )


def _wait(row: Row) -> float | None:
    """Of the client that waits now; total_wait_time only knows those who have been served."""
    whole, rest = _number(row, "maxwait"), _number(row, "maxwait_us")
    return None if whole is None else whole + (rest or 0) / 1e6


def _number(row: Row, column: str) -> int | None:
    value = row.get(column)
    return None if value is None else int(value)


def link_of(client: Row, servers: Mapping[str, Row]) -> PgBouncerLink | None:
    """A client that has a server connection; on a Unix socket it has no port to be known by."""
    server = servers.get(client.get("link") or "")
    if server is None or not server.get("remote_pid"):
        return None
    return PgBouncerLink(
        client_address=str(client.get("addr", "")),
        client_port=_number(client, "port") or 0,
        application_name=str(client.get("application_name") or ""),
        database=str(client.get("database", "")),
        user=str(client.get("user", "")),
        server_pid=int(server["remote_pid"]),
    )


def most_connections(databases: list[Row]) -> int | None:
    """Of all roles together. Without max_connections each role has a pool of its own: there is no such number."""
    limits = [_number(row, "max_connections") or 0 for row in databases]
    return sum(limits) if limits and all(limits) else None
