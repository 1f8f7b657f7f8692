"""What is declared, made comparable with what is there: created on a server of our own, read by the same collector.

Production is never written to. The result is kept in a file with the digest of the declarations, so that a machine
without PostgreSQL programs needs none.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import psycopg
from msgspec.structs import replace
from psycopg import sql

from dbvitals.collect.catalog import Scope, collect_catalog
from dbvitals.collect.expected_blank import blank_table
from dbvitals.collect.expected_parsed import expected_by_parse_tree
from dbvitals.collect.postgres import first_line
from dbvitals.errors import OutputError, SandboxError, UsageError
from dbvitals.expect import Expectations
from dbvitals.model import Skipped
from dbvitals.output import to_json, write
from dbvitals.sandbox import find_postgres, start_postgres
from dbvitals.settings import Timeouts
from dbvitals.snapshot import CatalogSnapshot, IndexInfo, StatsWindow, TableInfo

CACHE = Path(".playbook")
"""Where a snapshot made on the way is kept for the next run; the folder of the reports."""

EVERYTHING = Scope()

FIRST_NORMAL_OID = 16384
"""From here on (PostgreSQL's transam.h) objects are not the server's own, and their numbers mean nothing elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSnapshot:
    """The snapshot of declarations, and the digest of the declarations that it was made from."""

    digest: str
    snapshot: CatalogSnapshot


def expected_snapshot(
    expectations: Expectations,
    actual: CatalogSnapshot,
    *,
    kept: Path | None,
    pg_bin: Path | None,
    scope: Scope = EVERYTHING,
) -> tuple[CatalogSnapshot, tuple[Skipped, ...]]:
    """The declarations as a snapshot: from the kept file, else a sandbox, else the parse tree, which is said.

    Only the tables of `scope` are in it: what was not looked at must not be called absent. Raises UsageError when the
    declarations are not valid DDL.
    """
    found, skipped = _found(expectations, actual, kept=kept, pg_bin=pg_bin)
    return _within(found, scope), skipped


def _found(
    expectations: Expectations, actual: CatalogSnapshot, *, kept: Path | None, pg_bin: Path | None
) -> tuple[CatalogSnapshot, tuple[Skipped, ...]]:
    cached = CACHE / f"expected-{expectations.digest[:16]}.json"
    for path in (kept, cached):
        if path is not None and (found := _read(path, expectations.digest)) is not None:
            return found, ()
    try:
        snapshot = make_expected(expectations, pg_bin)
    except SandboxError as error:
        stale = f"; {kept} is not of these declarations" if kept is not None and kept.exists() else ""
        return expected_by_parse_tree(expectations, actual, why=f"{error}{stale}")
    _keep(cached, expectations, snapshot)
    return snapshot, ()


def _within(snapshot: CatalogSnapshot, scope: Scope) -> CatalogSnapshot:
    tables = tuple(table for table in snapshot.tables if _in_scope(table, scope))
    oids = {table.oid for table in tables}
    return replace(
        snapshot, tables=tables, indexes=tuple(index for index in snapshot.indexes if index.table_oid in oids)
    )


def _in_scope(table: TableInfo, scope: Scope) -> bool:
    names = (table.name, f"{table.schema}.{table.name}")
    globs = [re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".") for glob in scope.tables]
    named = not globs or any(re.fullmatch(glob, name, re.DOTALL) for glob in globs for name in names)
    return named and scope.has_schema(table.schema)


def make_expected(expectations: Expectations, pg_bin: Path | None = None) -> CatalogSnapshot:
    """Create the declarations on a throw-away server and read them. Raises SandboxError when none can run here."""
    with start_postgres(find_postgres(pg_bin), settings={"autovacuum": "off"}) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            _create(connection, expectations)
        with psycopg.connect(server.dsn()) as connection:
            return _lasting(collect_catalog(connection, Scope(), Timeouts()))


def _lasting(snapshot: CatalogSnapshot) -> CatalogSnapshot:
    """Without what is another in every run: the same declarations on the same version give the same file."""
    relations = [table.oid for table in snapshot.tables] + [index.oid for index in snapshot.indexes]
    oids = {oid: number for number, oid in enumerate(relations, start=1)}
    return replace(
        snapshot,
        server=replace(
            snapshot.server,
            host="sandbox",
            port=0,
            user="sandbox",
            database="sandbox",
            taken_at=datetime(1970, 1, 1, tzinfo=UTC),
            system_identifier=None,
            replicas_known=None,
            window=StatsWindow(since=None, source="unknown"),
        ),
        tables=tuple(_lasting_table(table, oids) for table in snapshot.tables),
        indexes=tuple(_lasting_index(index, oids) for index in snapshot.indexes),
        foreign_keys=(),
        equality=(),
        statements=(),
        skipped=(),
        collect_seconds=0,
        query_seconds=0,
        statements_sent=0,
    )


def _lasting_table(table: TableInfo, oids: dict[int, int]) -> TableInfo:
    return replace(
        blank_table(table.schema, table.name, oid=oids[table.oid]),
        kind=table.kind,
        unlogged=table.unlogged,
        parent_oid=oids[table.parent_oid] if table.parent_oid else None,
        replica_identity=table.replica_identity,
        columns=tuple(replace(column, statistics=None) for column in table.columns),
    )


def _lasting_index(index: IndexInfo, oids: dict[int, int]) -> IndexInfo:
    return replace(
        index,
        oid=oids[index.oid],
        table_oid=oids[index.table_oid],
        parent_oid=oids[index.parent_oid] if index.parent_oid else None,
        keys=tuple(
            replace(key, statistics=None, opfamily_oid=key.opfamily_oid if key.opfamily_oid < FIRST_NORMAL_OID else 0)
            for key in index.keys
        ),
        referenced_by=(),
        row_estimate=-1,
        size_bytes=0,
        scans=0,
        tuples_read=0,
        last_scan=None,
        blocks_touched=None,
        created_at=None,
    )


def keep_expected(path: Path, expectations: Expectations, pg_bin: Path | None = None) -> None:
    """Write the file that `[tool.dbvitals] expected_snapshot` names."""
    kept = KeptSnapshot(digest=expectations.digest, snapshot=make_expected(expectations, pg_bin))
    write(str(path), to_json(kept))


def is_current(path: Path, expectations: Expectations) -> bool:
    """Whether the file was made from these very declarations."""
    return _read(path, expectations.digest) is not None


def _create(connection: psycopg.Connection, expectations: Expectations) -> None:
    name = sql.Identifier(expectations.schema)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
    connection.execute(sql.SQL("SET search_path = {}").format(name))
    for statement in expectations.statements:
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            raise UsageError(
                f"a declaration is not valid: {first_line(error)}, in: {statement.strip().splitlines()[0][:80]}",
                mend="mend what [tool.dbvitals] expectations names",
            ) from error


def _read(path: Path, digest: str) -> CatalogSnapshot | None:
    """The kept snapshot when it was made from these very declarations."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=KeptSnapshot)
    except (OSError, msgspec.MsgspecError):
        return None
    return kept.snapshot if kept.digest == digest else None


def _keep(path: Path, expectations: Expectations, snapshot: CatalogSnapshot) -> None:
    try:
        write(str(path), to_json(KeptSnapshot(digest=expectations.digest, snapshot=snapshot)))
    except OutputError:
        return  # a read-only folder costs the next run two seconds, nothing else
