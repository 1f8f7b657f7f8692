"""The command as a user starts it: a process of its own, in an empty folder, with an environment that says nothing."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from dbvitals.sandbox import PostgresServer, start_postgres

Run = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).resolve().parents[3]

HOTEL = """
CREATE TABLE guests (id bigint PRIMARY KEY, tenant_id int NOT NULL, phone text);
CREATE INDEX idx_guests_tenant_id ON guests (tenant_id);
CREATE INDEX idx_guests_tenant_id_again ON guests (tenant_id);
CREATE TABLE "we|ird
<script>" (id int PRIMARY KEY, "a,b" bigint REFERENCES guests);
"""


def bare_environment() -> dict[str, str]:
    """This process's environment without anything that says where a server is."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "POSTGRES_", "DBVITALS_")) and name not in ("COLUMNS", "NO_COLOR")
    }


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `dbvitals` in a folder of its own; `prefix` is a program that starts it, `env` comes on top."""

    def start(
        *arguments: str, env: dict[str, str] | None = None, prefix: tuple[str, ...] = ()
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*prefix, sys.executable, "-m", "dbvitals", *arguments],
            cwd=tmp_path,
            env=bare_environment() | (env or {}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return start


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A server on a loopback port, which asks for a password, with a small hotel in it."""
    with start_postgres(tcp=True, settings={"autovacuum": "off"}) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute(HOTEL)
        yield server


@pytest.fixture
def here(server: PostgresServer) -> dict[str, str]:
    """The environment that names the server, as the guide does."""
    password = psycopg.conninfo.conninfo_to_dict(server.dsn())["password"]
    return {
        "POSTGRES_HOST": server.host,
        "POSTGRES_PORT": str(server.port),
        "POSTGRES_USER": "postgres",
        "POSTGRES_PASSWORD": str(password),
        "POSTGRES_DB": "postgres",
    }
