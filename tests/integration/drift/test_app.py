"""The hotel's own declarations against its migrated database, in every way that the two can be compared."""

from pathlib import Path

import psycopg
import pytest

from app.db.migrate import upgrade
from app.expectations import expectations
from dbvitals.collect.catalog import Scope
from dbvitals.collect.expected import expected_snapshot, make_expected
from dbvitals.collect.expected_parsed import expected_by_parse_tree
from dbvitals.sandbox import PostgresServer
from dbvitals.snapshot import CatalogSnapshot
from tests.conftest import MakeDatabase
from tests.integration.drift.ground import analyse, collect, drift_findings


@pytest.fixture
def migrated(postgres: PostgresServer, make_database: MakeDatabase) -> CatalogSnapshot:
    dsn = make_database(postgres)
    upgrade(dsn)
    with psycopg.connect(dsn) as connection:
        return collect(connection)


def test_a_migrated_database_is_as_declared(
    migrated: CatalogSnapshot, pg15: PostgresServer, pg18: PostgresServer
) -> None:
    for server in (pg15, pg18):
        declared = make_expected(expectations, server.binaries.bin_dir)
        assert len(declared.indexes) > 10
        assert drift_findings(analyse(migrated, declared)) == ()


def test_the_kept_file_gives_the_same_silence(migrated: CatalogSnapshot, tmp_path: Path) -> None:
    kept = Path(__file__).parents[3] / "app" / "db" / "expected.json"
    declared, skipped = expected_snapshot(expectations, migrated, kept=kept, pg_bin=tmp_path)
    assert skipped == ()
    assert drift_findings(analyse(migrated, declared)) == ()


def test_so_does_the_parse_tree(migrated: CatalogSnapshot) -> None:
    declared, _ = expected_by_parse_tree(expectations, migrated, why="no PostgreSQL here")
    assert len(declared.indexes) > 10
    assert drift_findings(analyse(migrated, declared)) == ()


def test_tables_that_were_not_looked_at_are_not_called_absent(migrated: CatalogSnapshot, tmp_path: Path) -> None:
    kept = Path(__file__).parents[3] / "app" / "db" / "expected.json"
    scope = Scope(tables=("public.s?ss*", "locks"))
    declared, _ = expected_snapshot(expectations, migrated, kept=kept, pg_bin=tmp_path, scope=scope)
    assert {table.name for table in declared.tables} == {"sessions", "locks"}
    assert {index.table_oid for index in declared.indexes} == {table.oid for table in declared.tables}
