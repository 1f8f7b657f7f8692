"""Which Redis is meant; looked up in options, environment, `.env`, config file, defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, unquote, urlsplit

from dbvitals.errors import UsageError

DEFAULT_HOST = "localhost"
DEFAULT_PORT = 6379
MOST_DB = 2**31 - 1

_VARIABLES = {
    "url": "REDIS_URL",
    "host": "REDIS_HOST",
    "port": "REDIS_PORT",
    "user": "REDIS_USERNAME",
    "password": "REDIS_PASSWORD",
    "db": "REDIS_DB",
    "tls": "REDIS_TLS",
    "tls_ca": "REDIS_TLS_CA",
}
"""Parts of an address, and the variable that gives each."""

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisTarget:
    """A Redis to connect to. Its text is `host:port/db`, never a password."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    user: str = ""
    password: str | None = field(default=None, repr=False)
    db: int = 0
    tls: bool = False
    tls_ca: str | None = None
    path: str = ""

    @property
    def name(self) -> str:
        """Where the server listens: `host:port`, or the path of its socket."""
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def at(self, host: str, port: int) -> "RedisTarget":
        """Another node of the same group: same login, same TLS."""
        return replace(self, host=host, port=port, path="")

    def __str__(self) -> str:
        return f"{self.name}/{self.db}"


_Tier = dict[str, tuple[str, str]]
"""For each part its value and the place that it came from."""


def resolve_redis(
    *,
    options: Mapping[str, str | None],
    environment: Mapping[str, str],
    dotenv: Mapping[str, str],
) -> RedisTarget:
    """Find the Redis that the call means; `options` has the keys `url host port user password db tls tls_ca`.

    Single parts win over those of a URL of the same place. Raises UsageError for a bad value, naming where it stands.
    """
    chosen: _Tier = {}
    for tier in (
        {name: (value, f"--{name.replace('_', '-')}") for name, value in options.items() if value is not None},
        _from(environment, "{}"),
        _from(dotenv, "{} in .env"),
    ):
        parts = _url_parts(*tier.pop("url")) | tier if "url" in tier else tier
        if ("path" in parts and "host" in chosen) or ("path" in chosen and "host" in parts):
            parts = {name: given for name, given in parts.items() if name not in ("path", "host", "port")}
        chosen = parts | chosen
    return RedisTarget(
        host=chosen.get("host", (DEFAULT_HOST, ""))[0],
        port=_number(chosen.get("port"), "port", DEFAULT_PORT, 1, 65535),
        user=chosen.get("user", ("", ""))[0],
        password=chosen["password"][0] if "password" in chosen else None,
        db=_number(chosen.get("db"), "database", 0, 0, MOST_DB),
        tls=_switch(chosen.get("tls")) or "tls_ca" in chosen,
        tls_ca=chosen["tls_ca"][0] if "tls_ca" in chosen else None,
        path=chosen.get("path", ("", ""))[0],
    )


def has_password(url: str) -> bool:
    """Whether an address holds a password."""
    try:
        split = urlsplit(url)
    except ValueError:
        return False
    return split.password is not None or "password=" in split.query


def _from(values: Mapping[str, str], origin: str) -> _Tier:
    return {
        part: (values[variable], origin.format(variable))
        for part, variable in _VARIABLES.items()
        if values.get(variable)
    }


def _url_parts(url: str, origin: str) -> _Tier:
    place = "--dsn" if origin == "--url" else origin
    wrong = UsageError(
        f"{place} is not a Redis address",
        mend="write redis://user@host:6379/0, rediss:// for TLS, or unix:///path; special characters as %40",
    )
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        raise wrong from None
    if split.scheme not in ("redis", "rediss", "unix"):
        raise wrong
    query = {name: values[-1] for name, values in parse_qs(split.query).items()}
    found = {
        "user": unquote(split.username or query.get("username", "")),
        "password": unquote(split.password or "") or query.get("password", ""),
        "db": query.get("db", ""),
    }
    if split.scheme == "unix":
        found["path"] = unquote(split.path)
    else:
        found |= {"host": split.hostname or "", "port": str(port or ""), "tls": str(split.scheme == "rediss").lower()}
        found["db"] = found["db"] or split.path.strip("/")
    return {name: (value, place) for name, value in found.items() if value}


def _number(given: tuple[str, str] | None, what: str, default: int, least: int, most: int) -> int:
    if given is None:
        return default
    value, origin = given
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise UsageError(f"{origin} gives {what} {value!r}", mend=f"it is a number from {least} to {most}")
    return int(value)


def _switch(given: tuple[str, str] | None) -> bool:
    value, origin = given or ("false", "")
    if value.lower() not in (*_TRUE, *_FALSE):
        raise UsageError(f"{origin} is {value!r}", mend="write true or false")
    return value.lower() in _TRUE
