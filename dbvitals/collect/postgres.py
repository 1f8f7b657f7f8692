"""A read-only connection to a PostgreSQL that waits for nobody, and its errors in one line each."""

import contextlib
import re
from collections.abc import Iterator

import psycopg
from psycopg import errors, sql

from dbvitals.errors import DbvitalsError, ServerError, UsageError
from dbvitals.settings import PostgresTarget, Timeouts

OLDEST = 140000

_NO_POSTGRES = "something answers there, but it is not a PostgreSQL: check the host and the port"
_FULL = "the server is full: free a connection, or log in with a role that has reserved ones"

_CONNECT_MENDS = (
    # Neither psycopg nor libpq has codes for these. A server that speaks another language gets the mend at the end.
    # The server's:
    ("authentication failed", "check the user and the password"),
    ("does not exist", "check the name; psql -l lists the databases"),
    ("permission denied for database", "GRANT CONNECT ON DATABASE … TO the login"),
    ("not permitted to log in", "ALTER ROLE … LOGIN, or log in as another role"),
    ("not currently accepting connections", "ALTER DATABASE … ALLOW_CONNECTIONS true"),
    ("no pg_hba.conf entry", "the server's pg_hba.conf does not let this user in from here"),
    ("pg_hba.conf rejects", "the server's pg_hba.conf does not let this user in from here"),
    ("too many clients", _FULL),
    ("remaining connection slots", _FULL),
    ("too many connections for", "raise the CONNECTION LIMIT of that role or database, or free a connection"),
    ("the database system is", "it starts, recovers or shuts down: run again in a moment"),
    # psycopg's own:
    ("failed to resolve host", "check --host or POSTGRES_HOST"),
    ("connection timeout expired", "check the host, the port and the firewall, or raise --connect-timeout"),
    # libpq's own; it resolves names itself where a service gives them:
    ("could not translate host name", "check the host of the service"),
    ("connection refused", "check the host and the port, and that the server runs"),
    ("no such file or directory", "check the socket folder and the port, and that the server runs"),
    ("no password supplied", "give a password: POSTGRES_PASSWORD, PGPASSFILE or --password"),
    ("server does not support ssl", "the server has no TLS: use --sslmode prefer if the network is trusted"),
    ("certificate", "check --sslrootcert and the name in the server's certificate"),
    ("expected authentication request", _NO_POSTGRES),
    ("invalid response to ssl negotiation", _NO_POSTGRES),
    ("closed the connection unexpectedly", "check that it is a PostgreSQL, and see its log"),
)

_WRONG_CALLS = (
    ("definition of service", "check PGSERVICE and the service file"),
    ("service file", "check PGSERVICEFILE"),
    ("root certificate file", "check --sslrootcert"),
    ("certificate file", "check --sslcert"),
    ("private key file", "check --sslkey"),
)
"""What libpq says of files that the call names."""

_ATTEMPT = re.compile(r'connection to server (?:at "[^"]*"(?: \([^)]*\))?, port \d+|on socket "[^"]*") failed: ')


def connect(target: PostgresTarget, timeouts: Timeouts) -> psycopg.Connection:
    """Connect; `reading` sets the session up.

    Raises ServerError when there is no usable PostgreSQL 14 or later, UsageError when a file that the call names (a
    service, a certificate, a key) is no use.
    """
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


def _refused(target: PostgresTarget, error: psycopg.Error) -> DbvitalsError:
    reason = _reason(str(error))
    text = reason.lower()
    for sign, mend in _WRONG_CALLS:
        if sign in text:
            return UsageError(f"cannot connect to {target}: {reason}", mend=mend)
    mend = next((mend for sign, mend in _CONNECT_MENDS if sign in text), "check the address and the login")
    return ServerError(f"cannot connect to {target}: {reason}", mend=mend)


def _reason(text: str) -> str:
    """Why the last attempt failed, without libpq's hints, which stand on lines of their own."""
    last = _ATTEMPT.split(text.partition("\nMultiple connection attempts failed")[0])[-1]
    told = re.split(r"\n(?:\t|DETAIL: |HINT: |Either )", last.strip())[0]
    told = re.sub(r"\[Errno -?\d+\] ", "", told)
    return told.removeprefix("connection is bad: ").removeprefix("FATAL:").strip(" .:") or "no reason given"


@contextlib.contextmanager
def reading(connection: psycopg.Connection, timeouts: Timeouts) -> Iterator[psycopg.Connection]:
    """One read-only, repeatable-read transaction with time-outs; everything is transaction-local.

    Works through PgBouncer in transaction mode: nothing is left behind in the session. The empty search path makes
    the server print every name that is not in pg_catalog with its schema.
    """
    info = connection.info
    place = f"{info.host}:{info.port}/{info.dbname}"
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
                ("intervalstyle", "postgres"),
                ("bytea_output", "hex"),
                ("extra_float_digits", "1"),
                ("quote_all_identifiers", "off"),
            ):
                statement = sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), sql.Literal(value))
                connection.execute(statement)
            yield connection
    except errors.QueryCanceled as error:
        raise ServerError(
            f"a catalogue query on {place} took longer than {timeouts.statement:g} s", mend="raise --statement-timeout"
        ) from error
    except errors.LockNotAvailable as error:
        raise ServerError(
            f"the catalogue on {place} is locked, as by VACUUM FULL or REINDEX SYSTEM: {first_line(error)}",
            mend="run again when that is done, or raise --lock-timeout",
        ) from error
    except errors.InsufficientPrivilege as error:
        raise ServerError(
            f"the login may not read the catalogue on {place}: {first_line(error)}",
            mend="GRANT it that; PostgreSQL gives it to everybody",
        ) from error
    except psycopg.OperationalError as error:
        raise ServerError(
            f"the connection to {place} was lost in mid-run: {first_line(error)}",
            mend="run again when the server is back",
        ) from error


def first_line(error: psycopg.Error) -> str:
    """The server's own message, without position, context or statement."""
    message = error.diag.message_primary or str(error).strip() or type(error).__name__
    return message.splitlines()[0]
