"""What is declared, made comparable with what is there: created on a server of our own, read by the same collector.

Production is never written to. The result is kept in a file with the digest of the declarations, so that a machine
without PostgreSQL programs needs none.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg
from psycopg import sql

from dbvitals.collect.catalog import Scope, collect_catalog
from dbvitals.collect.expected_parsed import expected_by_parse_tree
from dbvitals.collect.postgres import first_line
from dbvitals.errors import OutputError, SandboxError, UsageError
from dbvitals.expect import Expectations
from dbvitals.model import Skipped
from dbvitals.output import to_json, write
from dbvitals.sandbox import find_postgres, start_postgres
from dbvitals.settings import Timeouts
from dbvitals.snapshot import CatalogSnapshot

CACHE = Path(".playbook")
"""Where a snapshot made on the way is kept for the next run; the folder of the reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSnapshot:
    """The snapshot of declarations, and the digest of the declarations that it was made from."""

    digest: str
    snapshot: CatalogSnapshot


def expected_snapshot(
    expectations: Expectations, actual: CatalogSnapshot, *, kept: Path | None, pg_bin: Path | None
) -> tuple[CatalogSnapshot | None, tuple[Skipped, ...]]:
    """The declarations as a snapshot: from the kept file, else a sandbox, else the parse tree, which is said.

    Raises UsageError when the declarations are not valid DDL.
    """
    cached = CACHE / f"expected-{expectations.digest[:16]}.json"
    for path in (kept, cached):
        if path is not None and (found := _read(path, expectations.digest)) is not None:
            return found, ()
    try:
        snapshot = make_expected(expectations, pg_bin)
    except SandboxError as error:
        return expected_by_parse_tree(expectations, actual, why=str(error))
    _keep(cached, expectations, snapshot)
    return snapshot, ()


def make_expected(expectations: Expectations, pg_bin: Path | None = None) -> CatalogSnapshot:
    """Create the declarations on a throw-away server and read them. Raises SandboxError when none can run here."""
    with start_postgres(find_postgres(pg_bin), settings={"autovacuum": "off"}) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            _create(connection, expectations)
        with psycopg.connect(server.dsn()) as connection:
            return collect_catalog(connection, Scope(), Timeouts())


def keep_expected(path: Path, expectations: Expectations, pg_bin: Path | None = None) -> None:
    """Write the file that `[tool.dbvitals] expected_snapshot` names."""
    kept = KeptSnapshot(digest=expectations.digest, snapshot=make_expected(expectations, pg_bin))
    write(str(path), to_json(kept))


def _create(connection: psycopg.Connection, expectations: Expectations) -> None:
    name = sql.Identifier(expectations.schema)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
    connection.execute(sql.SQL("SET search_path = {}").format(name))
    for statement in expectations.ddl:
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
