"""Where to connect and how long to wait; looked up in options, environment, `.env`, config file, defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbvitals.errors import UsageError

DEFAULT_HOST = "localhost"
DEFAULT_PORT = "5432"
DEFAULT_DATABASE = "agente_hotel"

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_OPTIONS = {
    "host": "host",
    "port": "port",
    "user": "user",
    "password": "password",
    "database": "dbname",
    "sslmode": "sslmode",
    "sslrootcert": "sslrootcert",
    "sslcert": "sslcert",
    "sslkey": "sslkey",
}
"""Options and config keys, and the libpq parameter that each sets."""

_OWN_VARIABLES = {
    "POSTGRES_HOST": "host",
    "POSTGRES_PORT": "port",
    "POSTGRES_USER": "user",
    "POSTGRES_PASSWORD": "password",
    "POSTGRES_DB": "dbname",
}

_LIBPQ_VARIABLES = {
    "PGHOST": "host",
    "PGHOSTADDR": "hostaddr",
    "PGPORT": "port",
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGDATABASE": "dbname",
    "PGSSLMODE": "sslmode",
    "PGSSLROOTCERT": "sslrootcert",
    "PGSSLCERT": "sslcert",
    "PGSSLKEY": "sslkey",
    "PGPASSFILE": "passfile",
    "PGSERVICE": "service",
}

_BESIDE_A_SERVICE = ("service", "passfile")
"""What stays when a service is named: libpq lets the service file win over the PG* variables, so must we."""

_SET_BY_THE_TOOL = ("connect_timeout", "application_name")

_SAME_FOR_A_REPLICA = (
    "user",
    "password",
    "passfile",
    "dbname",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait, in seconds: for a connection, for a statement, for a lock.

    A catalogue query of a large database takes seconds, so 15 s means that something is wrong;
    half a second for a lock keeps the tool from queueing behind an ALTER TABLE, where it would block others.
    """

    connect: float = 10.0
    statement: float = 15.0
    lock: float = 0.5


@dataclass(frozen=True, slots=True)
class PostgresTarget:
    """A PostgreSQL to connect to, as libpq parameters. Its text is `host:port/database`, never a password."""

    parameters: tuple[tuple[str, str], ...] = field(repr=False)

    def connect_kwargs(self) -> dict[str, Any]:
        """Arguments of `psycopg.connect`, all strings; time-outs and application name are the caller's."""
        return {name: value for name, value in self.parameters if name not in _SET_BY_THE_TOOL}

    def __str__(self) -> str:
        known = dict(self.parameters)
        if "service" in known:
            return f"service {known['service']}"
        host = known.get("host") or known.get("hostaddr", "")
        return f"{host}:{known.get('port', DEFAULT_PORT)}/{known.get('dbname', '')}"

    def __repr__(self) -> str:
        return f"PostgresTarget({self})"


@dataclass(frozen=True, slots=True)
class _Given:
    """A value, and the place that a user has to mend when it is wrong."""

    value: str = field(repr=False)
    origin: str


_Tier = dict[str, _Given]


def read_dotenv(path: Path) -> dict[str, str]:
    """Read a `.env` file: its variables as written, none when there is no file. Nothing is exported."""
    from dotenv import dotenv_values

    if not path.is_file():
        return {}
    try:
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"{path} cannot be read: {reason}", mend="mend the file or remove it") from error
    return {name: value for name, value in values.items() if value}


def resolve_postgres(
    *,
    options: Mapping[str, str | None],
    environment: Mapping[str, str],
    dotenv: Mapping[str, str],
    config: Mapping[str, str | None],
    config_name: str,
) -> PostgresTarget:
    """Find the server that the call means; `options` and `config` have the keys `dsn host … sslkey`.

    A service (`PGSERVICE`, `service=…`) answers everything that stands below it. Raises UsageError for a bad
    value, naming the place that it came from.
    """
    chosen: _Tier = {}
    for tier in (
        _named(options, "--{}"),
        _dsn_parts(options.get("dsn"), "--dsn"),
        _variables(environment, _OWN_VARIABLES, "{}"),
        _variables(environment, _LIBPQ_VARIABLES, "{}"),
        _variables(dotenv, _OWN_VARIABLES, "{} in .env"),
        _variables(dotenv, _LIBPQ_VARIABLES, "{} in .env"),
        _named(config, f"{{}} in {config_name}"),
        _dsn_parts(config.get("dsn"), f"dsn in {config_name}"),
        _defaults(),
    ):
        if "hostaddr" in chosen:
            tier.pop("host", None)
        chosen = tier | chosen
        if "service" in chosen:
            break
    return _checked(chosen)


def replica_target(dsn: str, primary: PostgresTarget) -> PostgresTarget:
    """Find the node that `--replica` names.

    Login, database and TLS are the primary's unless the DSN has its own.
    """
    shared = {name: _Given(value, "--replica") for name, value in primary.parameters if name in _SAME_FOR_A_REPLICA}
    own = _dsn_parts(dsn, "--replica")
    return _checked(shared | own if "service" in own else _defaults() | shared | own)


def has_password(dsn: str) -> bool:
    """Whether a DSN holds a password; False for text that is no DSN."""
    try:
        return "password" in _dsn_parts(dsn, "")
    except UsageError:
        return False


def _named(values: Mapping[str, str | None], origin: str) -> _Tier:
    return {
        parameter: _Given(value, origin.format(name))
        for name, parameter in _OPTIONS.items()
        if (value := values.get(name)) is not None
    }


def _variables(values: Mapping[str, str], names: Mapping[str, str], origin: str) -> _Tier:
    tier = {
        parameter: _Given(values[name], origin.format(name)) for name, parameter in names.items() if values.get(name)
    }
    if "service" in tier:
        return {name: given for name, given in tier.items() if name in _BESIDE_A_SERVICE}
    return tier


def _defaults() -> _Tier:
    values = {"host": DEFAULT_HOST, "port": DEFAULT_PORT, "dbname": DEFAULT_DATABASE}
    return {name: _Given(value, "the default") for name, value in values.items()}


def _dsn_parts(dsn: str | None, origin: str) -> _Tier:
    if dsn is None:
        return {}
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        parts = {}
    if not parts:
        # libpq's own message quotes the address, password and all: it is not passed on.
        raise UsageError(
            f"{origin} is not a PostgreSQL address",
            mend="write postgresql://user@host:5432/database or host=… dbname=…, special characters as %40",
        )
    return {name: _Given(str(value), origin) for name, value in parts.items()}


def _checked(chosen: _Tier) -> PostgresTarget:
    for name, given in chosen.items():
        if not given.value and name not in ("password", "options"):
            raise UsageError(f"{given.origin} gives an empty {name}", mend="give a value or leave it out")
    if port := chosen.get("port"):
        _check_port(port)
    if (mode := chosen.get("sslmode")) and mode.value not in SSL_MODES:
        raise UsageError(f"{mode.origin} gives sslmode {mode.value!r}", mend=f"it is one of {', '.join(SSL_MODES)}")
    if (host := chosen.get("host")) and "://" in host.value:
        raise UsageError(f"{host.origin} gives a URL as host", mend="give it to --dsn")
    return PostgresTarget(tuple((name, given.value) for name, given in sorted(chosen.items())))


def _check_port(port: _Given) -> None:
    # libpq takes a list, one port for each host.
    for one in port.value.split(","):
        if not (one.isascii() and one.isdigit() and 1 <= int(one) <= 65535):
            raise UsageError(f"{port.origin} gives port {port.value!r}", mend="a port is a number from 1 to 65535")
