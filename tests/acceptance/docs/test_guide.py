"""The guide's report: every section and key of its example, and every critical index under its name."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.db.migrate import upgrade
from dbvitals.sandbox import PostgresServer
from tests.acceptance.cli.conftest import ROOT, bare_environment
from tests.conftest import MakeDatabase

SECTIONS = (
    "summary",
    "existing_indexes",
    "unused_indexes",
    "table_statistics",
    "missing_indexes",
    "recommendations",
)
SUMMARY = ("total_indexes", "unused_indexes", "missing_indexes", "duplicate_indexes", "tables_analyzed")
MISSING = ("table", "columns", "index_name", "sql", "priority", "reason")
RECOMMENDATION = ("severity", "category", "message", "action")

CRITICAL = {
    "idx_sessions_tenant_id_created_at": ("sessions", "tenant_id, created_at"),
    "idx_sessions_user_id_created_at": ("sessions", "user_id, created_at"),
    "idx_sessions_state": ("sessions", "state"),
    "idx_audit_logs_tenant_id_timestamp": ("audit_logs", "tenant_id, timestamp"),
    "idx_audit_logs_user_id_timestamp": ("audit_logs", "user_id, timestamp"),
    "idx_audit_logs_event_type_timestamp": ("audit_logs", "event_type, timestamp"),
    "idx_audit_logs_severity_timestamp": ("audit_logs", "severity, timestamp"),
    "idx_locks_resource_tenant_id": ("locks", "resource, tenant_id"),
    "idx_locks_acquired_at": ("locks", "acquired_at"),
    "idx_tenant_user_identifiers_value_platform": ("tenant_user_identifiers", "identifier_value, platform"),
    "idx_tenant_user_identifiers_tenant_id": ("tenant_user_identifiers", "tenant_id"),
}
"""The guide's critical indexes: name, table, and the columns that the index at least begins with."""

WITHOUT_INDEXES = """
DO $$
DECLARE
    found regclass;
BEGIN
    FOR found IN
        SELECT i.indexrelid::regclass
        FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace
        WHERE NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid)
          AND NOT EXISTS (SELECT FROM pg_inherits AS part WHERE part.inhrelid = i.indexrelid)
    LOOP
        EXECUTE format('DROP INDEX %s', found);
    END LOOP;
END
$$
"""
"""Every index goes that stands behind no constraint."""

Validate = Callable[[], dict[str, Any]]


@pytest.fixture
def database(pg18: PostgresServer, make_database: MakeDatabase) -> str:
    return make_database(pg18)


@pytest.fixture
def validate(database: str, tmp_path: Path) -> Validate:
    """`validate_indexes.sh` on a database that has the tables and none of the indexes; gives the report."""
    upgrade(database)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(WITHOUT_INDEXES)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    for name in ("pyproject.toml", "app/db/expected.json", "scripts/validate_indexes.sh"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)

    def call() -> dict[str, Any]:
        command = ["./scripts/validate_indexes.sh", "--quiet", "--dsn", database, "--sql", "mend.sql"]
        done = subprocess.run(
            command, cwd=tmp_path, env=bare_environment(), capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        report = json.loads((tmp_path / ".playbook/index_analysis.json").read_bytes())
        assert isinstance(report, dict)
        return report

    return call


def test_the_report_has_every_section_and_key_of_the_guide(validate: Validate) -> None:
    report = validate()
    assert set(SECTIONS) <= report.keys()
    assert set(SUMMARY) <= report["summary"].keys()
    assert report["summary"]["tables_analyzed"] >= 5
    for section, keys in (("missing_indexes", MISSING), ("recommendations", RECOMMENDATION)):
        assert report[section]
        for item in report[section]:
            assert set(keys) <= item.keys()
    (advice,) = (item for item in report["recommendations"] if item["category"] == "missing_indexes")
    assert advice["severity"] == "high"


def test_every_critical_index_is_listed_and_its_statement_builds_it(
    validate: Validate, database: str, connect: Callable[[str], psycopg.Connection[Any]]
) -> None:
    missing = validate()["missing_indexes"]
    listed = {item["index_name"]: item for item in missing}
    for name, (table, columns) in CRITICAL.items():
        item = listed[name]
        assert (item["table"], item["priority"], item["source"]) == (table, "high", "declared")
        assert item["columns"].startswith(columns)
    connection = connect(database)
    for item in missing:
        assert item["sql"].startswith(("CREATE INDEX CONCURRENTLY", "CREATE UNIQUE INDEX CONCURRENTLY"))
        connection.execute(item["sql"])
    assert validate()["missing_indexes"] == []
