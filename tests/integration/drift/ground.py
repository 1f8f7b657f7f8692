"""Each server's databases: all cases as declared; and as they are, then mended by the printed SQL, then undone."""

import contextlib
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import psycopg
from msgspec.structs import replace
from psycopg import sql

from dbvitals.analyse.index_report import IndexReport
from dbvitals.analyse.indexes import analyse_indexes
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.collect.catalog import Scope, collect_catalog
from dbvitals.model import Finding
from dbvitals.sandbox import PostgresServer
from dbvitals.settings import Timeouts
from dbvitals.snapshot import CatalogSnapshot
from tests.integration.drift.case import Case

# What a database may be set to, and what changes how the server prints expressions.
AWKWARD = (
    "quote_all_identifiers = on",
    "intervalstyle = iso_8601",
    "datestyle = 'German'",
    "timezone = 'Asia/Tokyo'",
    "bytea_output = escape",
    "extra_float_digits = 0",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What one server makes of all cases; `outcomes` is what psql said of each case's SQL, and then of the undo."""

    declared: CatalogSnapshot
    found: CatalogSnapshot
    mended: CatalogSnapshot
    undone: CatalogSnapshot
    outcomes: dict[str, subprocess.CompletedProcess[str]]
    undo_outcomes: dict[str, subprocess.CompletedProcess[str]]


def lay(server: PostgresServer, cases: Sequence[Case]) -> Ground:
    """Make the databases on a server, and run there what the analysis prints."""
    with _database(server, "drift_declared") as connection:
        for case in cases:
            _run(connection, case, (*case.table, *case.declared))
        declared = collect(connection)
    with _database(server, "drift_found") as connection:
        for setting in AWKWARD:
            connection.execute(f"ALTER DATABASE drift_found SET {setting}".encode())
        for case in cases:
            _run(connection, case, (*case.table, *case.present))
            _provoke(connection, case.refused)
        found = collect(connection)
        report = analyse(found, declared)
        outcomes = {}
        for case in cases:
            _run(connection, case, case.first)
            outcomes[case.name] = psql(server, "drift_found", printed_sql(report, case))
        mended = collect(connection)
        undo_outcomes = {case.name: psql(server, "drift_found", printed_undo(report, case)) for case in cases}
        return Ground(
            declared=declared,
            found=found,
            mended=mended,
            undone=collect(connection),
            outcomes=outcomes,
            undo_outcomes=undo_outcomes,
        )


def collect(connection: psycopg.Connection) -> CatalogSnapshot:
    """Read the whole database as the command does."""
    with psycopg.connect(connection.info.dsn, password=connection.info.password) as own:
        return collect_catalog(own, Scope(), Timeouts(statement=60))


def analyse(found: CatalogSnapshot, declared: CatalogSnapshot | None) -> IndexReport:
    """Judge a snapshot against another."""
    return analyse_indexes(
        found, expected=declared, thresholds=IndexThresholds(), duration_seconds=0, tool_version="test"
    )


def only(snapshot: CatalogSnapshot, case: Case) -> CatalogSnapshot:
    """The part of a snapshot that a case lies in."""
    return replace(
        snapshot,
        tables=tuple(table for table in snapshot.tables if table.schema == case.name),
        indexes=tuple(index for index in snapshot.indexes if index.schema == case.name),
    )


def printed_sql(report: IndexReport, case: Case) -> str:
    """The statements that the report's sections print for a case."""
    rows = (
        *(row.sql for row in report.drifted_indexes if row.schema == case.name),
        *(row.sql for row in report.missing_indexes if row.schema == case.name and row.source == "declared"),
    )
    return "\n".join(rows)


def printed_undo(report: IndexReport, case: Case) -> str:
    """The statements that the findings of a case give to take their own back."""
    own = (finding.action for finding in drift_findings(report) if finding.subject.schema == case.name)
    return "\n".join(action.undo for action in own if action is not None and action.undo is not None)


def drift_findings(report: IndexReport) -> tuple[Finding, ...]:
    """What is said of declarations: absent (IDX001) and drifted (IDX002)."""
    return tuple(finding for finding in report.findings if finding.rule in {"IDX001", "IDX002"})


def psql(server: PostgresServer, database: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script as an operator would: it stops at the first error."""
    program = server.binaries.bin_dir / "psql"
    command = [str(program), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={server.dsn(database)}"]
    script = f"SET client_min_messages = warning;\n{script}"
    return subprocess.run(command, input=script, capture_output=True, text=True, check=False)


@contextlib.contextmanager
def _database(server: PostgresServer, name: str) -> Iterator[psycopg.Connection]:
    identifier = sql.Identifier(name)
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(identifier))
        try:
            with psycopg.connect(server.dsn(name), autocommit=True, prepare_threshold=None) as connection:
                connection.execute("SET synchronous_commit = off")
                yield connection
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def _run(connection: psycopg.Connection, case: Case, statements: Iterable[str]) -> None:
    schema = sql.Identifier(case.name)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
    connection.execute(sql.SQL("SET search_path = {}").format(schema))
    for statement in statements:
        connection.execute(statement.encode())


def _provoke(connection: psycopg.Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        try:
            connection.execute(statement.encode())
        except psycopg.Error:
            continue
        raise AssertionError(f"the server should have refused: {statement}")
