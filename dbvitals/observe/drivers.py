"""What a driver's connection tells of its session without a round trip. A driver that does not know tells None."""

import os
import socket
from typing import Any, NamedTuple

# libpq's PQTRANS_INTRANS and PQTRANS_INERROR
_IN_TRANSACTION = {2, 3}


class Session(NamedTuple):
    """What finds a connection among the server's, or PgBouncer's."""

    backend_pid: int | None
    local_port: int | None


UNKNOWN = Session(None, None)


def identify(connection: Any) -> Session:
    """The session of an open connection of asyncpg, psycopg or psycopg2."""
    return Session(_backend_pid(connection), _local_port(connection))


def in_transaction(connection: Any) -> bool:
    """Whether the session is in a transaction, failed or not, as the server last said."""
    ask = getattr(connection, "is_in_transaction", None)
    if ask is not None:
        return bool(ask())
    status = getattr(getattr(connection, "info", None), "transaction_status", None)
    return status in _IN_TRANSACTION


def _backend_pid(connection: Any) -> int | None:
    ask = getattr(connection, "get_server_pid", None)
    found = ask() if ask is not None else getattr(getattr(connection, "info", None), "backend_pid", None)
    return found if isinstance(found, int) else None


def _local_port(connection: Any) -> int | None:
    """None on a Unix socket."""
    # asyncpg has no public way to its socket.
    transport = getattr(connection, "_transport", None)
    if transport is not None:
        return _port(transport.get_extra_info("sockname"))
    fileno = getattr(connection, "fileno", None)
    if fileno is None:
        return None
    with socket.socket(fileno=os.dup(fileno())) as copy:
        return _port(copy.getsockname())


def _port(address: Any) -> int | None:
    return address[1] if isinstance(address, tuple) else None
