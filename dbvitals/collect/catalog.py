"""Reads the tables and indexes of one database: a fixed number of statements, whatever its size."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

import psycopg

from dbvitals.collect import catalog_rows as rows
from dbvitals.collect.postgres import reading
from dbvitals.collect.reader import Reader, Row
from dbvitals.settings import Timeouts
from dbvitals.snapshot import (
    SNAPSHOT_VERSION,
    CatalogSnapshot,
    ForeignKey,
    IndexBuild,
    IndexInfo,
    LeftOut,
    OperatorFamily,
    ServerInfo,
    StatementStat,
    TableInfo,
)

WORKLOAD_STATEMENTS = 500
"""How many statements of pg_stat_statements are looked at, by total time."""

STATISTICS_FROM_PAGES = 128
"""Tables of at least this many pages (1 MiB), or with such an index, get their column statistics read: smaller ones
cannot hold bloat or skew worth a line, and the read stays bounded."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which schemas and tables to look at. Patterns are globs (`*`, `?`); `tables` match `name` or `schema.name`."""

    schemas: tuple[str, ...] = ()
    exclude_schemas: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    def has_schema(self, name: str) -> bool:
        """Whether a schema is looked at."""
        wanted = not self.schemas or any(fnmatchcase(name, pattern) for pattern in self.schemas)
        return wanted and not any(fnmatchcase(name, pattern) for pattern in self.exclude_schemas)

    def table_patterns(self) -> list[str] | None:
        """The table globs as LIKE patterns, None when every table is meant."""
        return [_like(pattern) for pattern in self.tables] or None


def _like(glob: str) -> str:
    escaped = glob.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def collect_catalog(
    connection: psycopg.Connection, scope: Scope, timeouts: Timeouts, progress: Progress = lambda part: None
) -> CatalogSnapshot:
    """Read the catalogue in one read-only, repeatable-read transaction.

    `progress` is told the name of each part before it is read. Raises ServerError when the server goes away or a part
    without which there is no report cannot be read; every other part that fails is named in `skipped`. Ctrl-C ends the
    reading: what is complete is given back, with `interrupted` in `skipped`; KeyboardInterrupt when nothing is.
    """
    started = time.monotonic()
    with reading(connection, timeouts):
        reader = Reader(connection, progress)
        parts = _Parts()
        try:
            _read_parts(reader, scope, parts)
        except KeyboardInterrupt:
            if parts.server is None:
                raise
            connection.cancel_safe(timeout=2)
            reader.skip("interrupted", "stopped by Ctrl-C before the catalogue was read", "run it to the end")
    return parts.snapshot(reader, time.monotonic() - started)


@dataclass(slots=True)
class _Parts:
    """What has been read so far."""

    server: ServerInfo | None = None
    tables: Sequence[TableInfo] = ()
    indexes: Sequence[IndexInfo] = ()
    foreign_keys: Sequence[ForeignKey] = ()
    equality: Sequence[OperatorFamily] = ()
    builds: Sequence[IndexBuild] = ()
    statements: Sequence[StatementStat] = ()
    left_out: LeftOut = LeftOut()  # noqa: RUF009 -- frozen

    def snapshot(self, reader: Reader, seconds: float) -> CatalogSnapshot:
        assert self.server is not None  # noqa: S101 -- the caller has checked
        return CatalogSnapshot(
            snapshot_version=SNAPSHOT_VERSION,
            server=self.server,
            tables=tuple(self.tables),
            indexes=tuple(self.indexes),
            foreign_keys=tuple(self.foreign_keys),
            equality=tuple(self.equality),
            builds=tuple(self.builds),
            statements=tuple(self.statements),
            replicas=(),
            left_out=self.left_out,
            skipped=tuple(sorted(reader.skipped, key=lambda part: (part.part, part.why))),
            collect_seconds=round(seconds, 4),
            query_seconds=round(reader.seconds, 4),
            statements_sent=reader.statements,
        )


def _read_parts(reader: Reader, scope: Scope, parts: _Parts) -> None:
    row, created = read_server(reader)
    parts.server = rows.server(row, created, reader.connection.info)
    statements_schema: str = row.statements_schema
    spaces = [space for space in reader.rows("namespaces") if scope.has_schema(space.name)]
    (counts,) = reader.rows("left_out")
    parts.left_out = LeftOut(temporary=counts.temporary, extension_owned=counts.extension_owned)
    table_rows = reader.rows("tables", namespaces=[space.oid for space in spaces], tables=scope.table_patterns())
    table_oids = [table.oid for table in table_rows]
    index_rows = reader.rows("indexes", tables=table_oids)
    texts = reader.unlocked("index_texts", "index_definitions", tables=table_oids)
    relations = [*table_oids, *(index.oid for index in index_rows)]
    sizes = {size.oid: size.bytes for size in reader.unlocked("sizes", "sizes", relations=relations)}
    locked = reader.locked
    if locked:
        _say_locked(reader, table_rows)
    large = _large(table_rows, index_rows)
    columns = rows.columns_by_table(reader.rows("columns", tables=table_oids, large=large))
    foreign = reader.rows("foreign_keys", tables=table_oids)
    not_enforced = {(row.table_oid, row.name) for row in reader.since("not_enforced-18")}
    parts.foreign_keys = rows.foreign_keys(foreign, not_enforced)
    operators = sorted({operator for key in foreign for operator in key.operators or ()})
    parts.equality = rows.equality(reader.rows("equality", operators=operators))
    collation_oids = sorted({oid for index in index_rows for oid in index.collations if oid})
    statistics = rows.statistics(_column_statistics(reader, large, index_rows))
    context = rows.IndexContext(
        opclasses={opclass.oid: opclass for opclass in reader.rows("opclasses")},
        collations={row.oid: row for row in reader.rows("collations", collations=collation_oids)},
        columns=columns,
        texts={text.oid: text for text in texts},
        sizes=sizes,
        statistics=statistics,
        referenced_by=rows.referenced_by(foreign),
        nulls_not_distinct={row.oid for row in reader.since("nulls_not_distinct-15")},
        last_scans={row.oid: row.at for row in reader.since("last_scans-16", tables=table_oids)},
        block_size=parts.server.block_size,
    )
    parts.indexes = rows.indexes(index_rows, context)
    parts.tables = rows.tables(table_rows, parts.indexes, columns, statistics, sizes, locked, parts.server.block_size)
    parts.builds = rows.builds(reader.optional("builds", "index builds", "nothing to do: it is read again next time"))
    parts.statements = _statements(reader, statements_schema)


def read_server(reader: Reader) -> tuple[Row, datetime | None]:
    """The server's row, and when the database was made where the login may ask for that."""
    (row,) = reader.rows("server")
    created = reader.rows("database_created")[0].at if row.may_stat_files else None
    return row, created


def _say_locked(reader: Reader, table_rows: Iterable[Row]) -> None:
    names = [f"{table.schema}.{table.name}" for table in table_rows if table.oid in reader.locked]
    if names:
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        reader.skip(
            "locked tables",
            f"{shown}: locked by ALTER TABLE or its kin; sizes are those of the last VACUUM or ANALYZE, "
            "expressions and predicates were not read, their indexes are not judged",
            "run again when the lock is gone",
        )


def _large(table_rows: Iterable[Row], index_rows: Iterable[Row]) -> list[int]:
    """The tables that are large, or have a large index."""
    tables = {table.oid for table in table_rows if table.pages >= STATISTICS_FROM_PAGES}
    return sorted(tables | {index.table_oid for index in index_rows if index.pages >= STATISTICS_FROM_PAGES})


def _column_statistics(reader: Reader, large: list[int], index_rows: Iterable[Row]) -> list[Row]:
    relations = [*large, *(i.oid for i in index_rows if i.computed and i.pages >= STATISTICS_FROM_PAGES)]
    mend = "GRANT pg_read_all_data to the login"
    return reader.optional("column_statistics", "column statistics", mend, relations=relations)


def _statements(reader: Reader, schema: str) -> tuple[StatementStat, ...]:
    part = "missing indexes by workload"
    if not schema:
        mend = "add pg_stat_statements to shared_preload_libraries, restart, CREATE EXTENSION pg_stat_statements"
        reader.skip(part, "pg_stat_statements is not installed in this database", mend)
        return ()
    mend = "GRANT pg_read_all_stats to the login; ALTER EXTENSION pg_stat_statements UPDATE"
    found = reader.optional("statements", part, mend, schema=schema, limit=WORKLOAD_STATEMENTS)
    if any(row.query == "<insufficient privilege>" for row in found):
        reader.skip(part, "other users' statements are hidden from this login", "GRANT pg_read_all_stats to it")
    return rows.statements(found)
