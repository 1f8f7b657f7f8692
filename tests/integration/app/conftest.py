"""A migrated database, and the server's own programs to look at it."""

import subprocess
from collections.abc import Callable

import pytest

from app.db.migrate import upgrade
from dbvitals.sandbox import PostgresServer


@pytest.fixture
def migrated(database: str) -> str:
    """The DSN of a database at the newest revision, on one server after the other."""
    upgrade(database)
    return database


@pytest.fixture
def dump(postgres: PostgresServer) -> Callable[[str], list[str]]:
    """A function that gives a database's schema as its server's pg_dump writes it, statement by statement."""

    def dump_schema(dsn: str) -> list[str]:
        program = postgres.binaries.bin_dir / "pg_dump"
        options = ["--schema-only", "--no-owner", "--exclude-table=alembic_version", f"--dbname={dsn}"]
        text = subprocess.run([program, *options], capture_output=True, text=True, check=True).stdout
        # Comments, and psql's \restrict with its random word, are not the schema.
        lines = [line for line in text.splitlines() if line and not line.startswith(("--", "\\"))]
        return [statement.strip() for statement in "\n".join(lines).split(";\n")]

    return dump_schema


@pytest.fixture
def psql(postgres: PostgresServer) -> Callable[[str, str], subprocess.CompletedProcess[str]]:
    """A function that runs a script with psql, as an operator would: it stops at the first error."""

    def run_script(dsn: str, script: str) -> subprocess.CompletedProcess[str]:
        program = postgres.binaries.bin_dir / "psql"
        command = [str(program), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={dsn}"]
        return subprocess.run(command, input=script, capture_output=True, text=True, check=False)

    return run_script
