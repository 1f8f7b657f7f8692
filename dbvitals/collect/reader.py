"""Runs the collectors' queries: counts them, times them, and keeps one failing part from taking the rest with it."""

import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.rows import namedtuple_row

from dbvitals.collect.postgres import first_line
from dbvitals.collect.queries import load, needs
from dbvitals.model import Skipped

Row = Any
"""A named tuple of the query's columns. Rows do not leave the package."""

_LOCK_ATTEMPTS = 3

_PART_FAILS = (
    errors.QueryCanceled,
    errors.LockNotAvailable,
    errors.InsufficientPrivilege,
    errors.UndefinedColumn,
    errors.UndefinedTable,
    errors.UndefinedFunction,
    errors.ObjectNotInPrerequisiteState,
)

_MENDS_OF_WAITS: dict[type[psycopg.Error], str] = {
    errors.QueryCanceled: "raise --statement-timeout",
    errors.LockNotAvailable: "run again when the lock is gone, or raise --lock-timeout",
}


class Reader:
    """Reads within one open transaction. `skipped` holds what could not be read, `locked` the relations left out."""

    def __init__(self, connection: psycopg.Connection, progress: Callable[[str], None]) -> None:
        self.connection = connection
        self.skipped: list[Skipped] = []
        self.locked: frozenset[int] = frozenset()
        self.statements = 0
        self.seconds = 0.0
        self._progress = progress
        self._major = connection.info.server_version // 10000

    def skip(self, part: str, why: str, mend: str) -> None:
        """Note a part that is missing."""
        self.skipped.append(Skipped(part=part, why=why, mend=mend))

    def rows(self, name: str, *, schema: str = "", **parameters: Any) -> list[Row]:
        """All rows of a query that the report cannot do without. `schema` fills {schema} in the text, quoted."""
        self._progress(name)
        statement = sql.SQL(load(name))
        return self.fetch(statement.format(schema=sql.Identifier(schema)) if schema else statement, parameters or None)

    def fetch(self, statement: bytes | sql.SQL | sql.Composed, parameters: dict[str, Any] | None = None) -> list[Row]:
        """All rows of a statement that is already put together."""
        self.statements += 1
        started = time.perf_counter()
        try:
            with self.connection.cursor(row_factory=namedtuple_row) as cursor:
                return cursor.execute(statement, parameters).fetchall()
        finally:
            self.seconds += time.perf_counter() - started

    def since(self, name: str, **parameters: Any) -> list[Row]:
        """Rows of a query that only newer servers answer; none on an older one."""
        return self.rows(name, **parameters) if self._major >= needs(name) else []

    def optional(self, name: str, part: str, mend: str, *, schema: str = "", **parameters: Any) -> list[Row]:
        """Rows of a part that the report can do without; when it fails, it is noted as skipped and there are none."""
        try:
            with self.connection.transaction():
                return self.rows(name, schema=schema, **parameters)
        except _PART_FAILS as error:
            self.skip(part, first_line(error), _MENDS_OF_WAITS.get(type(error), mend))
            return []

    def unlocked(self, name: str, part: str, **parameters: Any) -> list[Row]:
        """Rows of a query that opens relations: those under ACCESS EXCLUSIVE are left out and added to `locked`.

        A lock that comes between the look and the query is met by the lock time-out, and the look repeated.
        """
        for _ in range(_LOCK_ATTEMPTS):
            self.locked |= frozenset(row.oid for row in self.rows("locked"))
            try:
                with self.connection.transaction():
                    return self.rows(name, locked=sorted(self.locked), **parameters)
            except errors.LockNotAvailable:
                continue
            except errors.QueryCanceled as error:
                self.skip(part, first_line(error), _MENDS_OF_WAITS[type(error)])
                return []
        self.skip(part, "tables were being locked faster than they could be read", "run again in a quieter moment")
        return []
