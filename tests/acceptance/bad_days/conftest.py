"""A call that has to fail, beside files of earlier runs that it has to leave alone."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from dbvitals.sandbox import PostgresServer, start_postgres
from tests.acceptance.cli.conftest import Run, bare_environment, here, run, server

__all__ = ["crowded", "here", "refused", "run", "seen", "server"]

Refused = Callable[..., str]

FILES = (".playbook/index_analysis.json", "seen.json", "mend.sql")
WARNING = "dbvitals: other users of this machine can see a password given on the command line; use .env or PGPASSFILE"


@pytest.fixture
def refused(run: Run, tmp_path: Path) -> Refused:
    """Run `dbvitals indexes` with an exit code to expect; gives the one line of standard error.

    `secret` must show up nowhere; `warned` expects the line about passwords before the other one.
    """
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"older {name}")

    def call(
        code: int,
        *arguments: str,
        env: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        secret: str = "",
        warned: bool = False,
    ) -> str:
        before = files_in(tmp_path)
        done = run("indexes", "--save", "seen.json", "--sql", "mend.sql", *arguments, env=env, prefix=prefix)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        *first, line = done.stderr.splitlines()
        assert first == ([WARNING] if warned else [])
        assert line.startswith("dbvitals: ")
        assert not secret or secret not in done.stderr
        assert files_in(tmp_path) == before
        return line.removeprefix("dbvitals: ")

    return call


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content, hidden and half-written ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def crowded() -> Iterator[PostgresServer]:
    """A server that lets in three superusers, and one of the others."""
    settings = {"max_connections": "3", "superuser_reserved_connections": "2", "autovacuum": "off"}
    with start_postgres(settings=settings) as started:
        with psycopg.connect(started.dsn(), autocommit=True) as connection:
            connection.execute("CREATE ROLE plain LOGIN")
        yield started


@pytest.fixture(scope="session")
def seen(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A snapshot of the hotel, to be replayed without a server."""
    folder = tmp_path_factory.mktemp("seen")
    command = [sys.executable, "-m", "dbvitals", "indexes", "--dsn", server.dsn(), "--save", "seen.json", "--quiet"]
    subprocess.run(command, cwd=folder, env=bare_environment(), check=True, capture_output=True)
    return str(folder / "seen.json")
