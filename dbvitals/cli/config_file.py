"""The config file: dbvitals.toml, or `[tool.dbvitals]` of pyproject.toml. Unknown keys are errors."""

import dataclasses
import difflib
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dbvitals.analyse.connection_thresholds import ConnectionThresholds
from dbvitals.analyse.keyspace_thresholds import CacheThresholds
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.errors import UsageError

OWN_FILE = "dbvitals.toml"
PROJECT_FILE = "pyproject.toml"

_TABLES: dict[str, type] = {
    "indexes": IndexThresholds,
    "connections": ConnectionThresholds,
    "cache": CacheThresholds,
}
"""The tables of thresholds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The keys of the config file; what is None was not given.

    `expectations` is `module:attribute`, `expected_sql` a file of DDL, `expected_snapshot` the file that
    keeps what a server made of the declarations. Passwords have no key: the file is kept under version control.
    """

    dsn: str | None = None
    host: str | None = None
    port: str | int | None = None
    user: str | None = None
    database: str | None = None
    sslmode: str | None = None
    sslrootcert: str | None = None
    sslcert: str | None = None
    sslkey: str | None = None
    connect_timeout: str | float | None = None
    statement_timeout: str | float | None = None
    lock_timeout: str | float | None = None
    format: str | None = None
    fail_on: str | None = None
    strict: bool | None = None
    expectations: str | None = None
    expected_sql: str | None = None
    expected_snapshot: str | None = None
    pool_size: int | None = None
    max_overflow: int | None = None
    indexes: IndexThresholds = dataclasses.field(default_factory=IndexThresholds)
    connections: ConnectionThresholds = dataclasses.field(default_factory=ConnectionThresholds)
    cache: CacheThresholds = dataclasses.field(default_factory=CacheThresholds)
    key_separators: str = ":"

    def connection(self) -> dict[str, str | None]:
        """Give the keys that say where to connect, as text."""
        names = ("dsn", "host", "port", "user", "database", "sslmode", "sslrootcert", "sslcert", "sslkey")
        values = {name: getattr(self, name) for name in names}
        return {name: None if value is None else str(value) for name, value in values.items()}

    def option_defaults(self) -> dict[str, Any]:
        """Give the keys that stand in for options of the same name."""
        names = ("connect_timeout", "statement_timeout", "lock_timeout", "format", "fail_on", "strict")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def load(path: Path | None) -> tuple[Config, str]:
    """Read the named file, or the first that the working folder has; gives the settings and the file's name.

    Raises UsageError with the file and the key when it cannot be read or says what it must not.
    """
    if path is not None:
        document = _read(path)
        nested = path.name == PROJECT_FILE or "tool" in document
        return _convert(_tool_table(document, path) if nested else document, path), str(path)
    own, project = Path(OWN_FILE), Path(PROJECT_FILE)
    if own.is_file():
        return _convert(_read(own), own), OWN_FILE
    if project.is_file():
        return _convert(_tool_table(_read(project), project), project), PROJECT_FILE
    return Config(), OWN_FILE


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", mend="check --config") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text", mend="save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}", mend="mend that line") from error


def _tool_table(document: dict[str, Any], path: Path) -> dict[str, Any]:
    tool = document.get("tool", {})
    table = tool.get("dbvitals", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UsageError(f"{path}: tool.dbvitals is not a table", mend="write [tool.dbvitals]")
    return table


def _convert(table: dict[str, Any], path: Path) -> Config:
    _refuse_unknown(table, Config, path, "")
    for name, kind in _TABLES.items():
        if isinstance(thresholds := table.get(name), dict):
            _refuse_unknown(thresholds, kind, path, f"{name}.")
    try:
        return _sane(msgspec.convert(table, Config), path)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).replace("`", "").partition(" - at $.")
        key = f" {place}" if place else ""
        raise UsageError(f"{path}: the value of{key} is wrong: {reason}", mend="see docs/settings.md") from error


def _sane(config: Config, path: Path) -> Config:
    """Refuse thresholds below zero, and the NaN and infinity that TOML knows."""
    for table in _TABLES:
        for name, value in dataclasses.asdict(getattr(config, table)).items():
            if not 0 <= value < math.inf:
                raise UsageError(f"{path}: {table}.{name} = {value} makes no sense", mend="give a number from 0 up")
    return config


def _refuse_unknown(table: dict[str, Any], kind: type, path: Path, prefix: str) -> None:
    known = [field.name for field in dataclasses.fields(kind)]
    for key in sorted(table.keys() - set(known)):
        if key == "password":
            raise UsageError(f"{path}: a password does not belong here", mend="use .env or PGPASSFILE")
        near = difflib.get_close_matches(key, known, n=1)
        mend = f"did you mean {prefix}{near[0]}?" if near else f"known are {', '.join(known)}"
        raise UsageError(f"{path}: there is no setting {prefix}{key}", mend=mend)
