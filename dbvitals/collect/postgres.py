"""A read-only connection to a PostgreSQL that waits for nobody, and its errors in one line each."""

import contextlib
from collections.abc import Iterator

import psycopg
from psycopg import errors, sql

from dbvitals.errors import ServerError
from dbvitals.settings import PostgresTarget, Timeouts

OLDEST = 140000

_CONNECT_MENDS = (
    # libpq has no codes for these; its texts are its own, the server's are matched by what libpq adds around them.
    ("password authentication failed", "check the user and the password"),
    ("no password supplied", "give a password: POSTGRES_PASSWORD, PGPASSFILE or --password"),
    ("does not exist", "check the name; psql -l lists the databases"),
    ("could not translate host name", "check --host or POSTGRES_HOST"),
    ("connection refused", "check the host and the port, and that the server runs"),
    ("timeout expired", "check the host, the port and the firewall, or raise --connect-timeout"),
    ("connection timeout", "check the host, the port and the firewall, or raise --connect-timeout"),
    ("no such file or directory", "check the socket folder and the port, and that the server runs"),
    ("server does not support ssl", "the server has no TLS: use --sslmode prefer if the network is trusted"),
    ("certificate", "check --sslrootcert and the name in the server's certificate"),
    ("no pg_hba.conf entry", "the server's pg_hba.conf does not let this user in from here"),
    (
        "too many clients",
        "the server is full: free a connection, or connect with a role that has a reserved one",
    ),
    ("remaining connection slots", "the server is full: free a connection, or connect with a reserved role"),
    ("expected authentication request", "something answers there, but it is not a PostgreSQL: check --port"),
    (
        "invalid response to ssl negotiation",
        "something answers there, but it is not a PostgreSQL: check --port",
    ),
)


def connect(target: PostgresTarget, timeouts: Timeouts) -> psycopg.Connection:
    """Connect; `reading` sets the session up. Raises ServerError when there is no usable PostgreSQL 14 or later."""
    try:
        connection = psycopg.connect(
            **target.connect_kwargs(),
            connect_timeout=max(1, round(timeouts.connect)),
            application_name="dbvitals",
            prepare_threshold=None,
        )
    except psycopg.Error as error:
        raise _refused(target, error) from error
    version = connection.info.server_version
    if connection.info.parameter_status("server_version") is None or version < OLDEST:
        shown = connection.info.parameter_status("server_version") or "an unknown version"
        connection.close()
        raise ServerError(
            f"{target} answers as {shown}",
            mend="dbvitals reads PostgreSQL 14 to 18; check the host and the port",
        )
    return connection


def _refused(target: PostgresTarget, error: psycopg.Error) -> ServerError:
    text = str(error).strip()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reason = next((line for line in reversed(lines) if "failed:" in line), lines[-1] if lines else "no reason given")
    reason = reason.rsplit("failed: ", 1)[-1].removeprefix("FATAL:").strip()
    mend = next((mend for sign, mend in _CONNECT_MENDS if sign in text.lower()), "check the address and the login")
    return ServerError(f"cannot connect to {target}: {reason}", mend=mend)


@contextlib.contextmanager
def reading(connection: psycopg.Connection, timeouts: Timeouts) -> Iterator[psycopg.Connection]:
    """One read-only, repeatable-read transaction with time-outs; everything is transaction-local.

    Works through PgBouncer in transaction mode: nothing is left behind in the session. The empty search path makes
    the server print every name that is not in pg_catalog with its schema.
    """
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    try:
        with connection.transaction(force_rollback=True):
            for name, value in (
                ("statement_timeout", f"{round(timeouts.statement * 1000)}ms"),
                ("lock_timeout", f"{round(timeouts.lock * 1000)}ms"),
                ("search_path", ""),
                ("jit", "off"),
                ("datestyle", "ISO"),
                ("timezone", "UTC"),
            ):
                statement = sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), sql.Literal(value))
                connection.execute(statement)
            yield connection
    except errors.QueryCanceled as error:
        raise ServerError(
            f"a catalogue query took longer than {timeouts.statement:g} s", mend="raise --statement-timeout"
        ) from error
    except errors.InsufficientPrivilege as error:
        raise ServerError(
            f"the login may not read the catalogue: {first_line(error)}", mend="GRANT pg_monitor to it"
        ) from error
    except psycopg.OperationalError as error:
        raise ServerError(
            f"the connection was lost in mid-run: {first_line(error)}",
            mend="run again when the server is back",
        ) from error


def first_line(error: psycopg.Error) -> str:
    """The server's own message, without position, context or statement."""
    message = error.diag.message_primary or str(error).strip() or type(error).__name__
    return message.splitlines()[0]
