"""The line that holds the connection which blocks everyone, named directly and behind PgBouncer."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from dbvitals.collect.app_registry import read_app
from dbvitals.errors import ServerError
from dbvitals.sandbox import PostgresServer, find_postgres, start_postgres
from dbvitals.sandbox.ports import free_port
from dbvitals.snapshot_pool import HeldConnection
from tests.integration.observe.waiting import until_in_thread

SERVICE = Path(__file__).with_name("leaking_service.py")
ROOT = SERVICE.parents[3]
TOKEN = "operators-secret"
LOCKS = """
CREATE TABLE locks (room int PRIMARY KEY, renewed timestamptz);
INSERT INTO locks SELECT room FROM generate_series(1, 20) AS room
"""
# Who holds up whom, of the service's sessions.
ROOT_BLOCKERS = "SELECT DISTINCT unnest(pg_blocking_pids(pid)) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
Operator = psycopg.Connection[tuple[int]]
CONFIG = """
[databases]
hotel = host=127.0.0.1 port={port} dbname=postgres user=postgres password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
"""


def planted() -> str:
    lines = SERVICE.read_text().splitlines()
    number = next(number for number, line in enumerate(lines, 1) if "# the planted leak" in line)
    return f"leaking_service.py:{number} renew"


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10):
        return True
    return False


@contextlib.contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    """A program that listens on a port, until the block ends."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, env=environment) as process:
        try:
            until_in_thread(lambda: answers(port) or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with start_postgres(find_postgres(), tcp=True) as started:
        yield started


@pytest.fixture
def locks(server: PostgresServer) -> Iterator[Operator]:
    """A connection of the operator's, beside a table of locks."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(LOCKS)
        yield connection
        connection.execute("DROP TABLE locks")


@pytest.fixture
def pgbouncer(server: PostgresServer, tmp_path: Path) -> Iterator[int]:
    """The port of a PgBouncer in transaction mode."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("no PgBouncer on this machine (Debian and Ubuntu: the package pgbouncer)")
    port = free_port()
    config = tmp_path / "pgbouncer.ini"
    password = urlsplit(server.dsn()).password
    config.write_text(CONFIG.format(port=server.port, password=password, listen=port))
    # It refuses to be root.
    command = [program, *(["-u", "nobody"] if os.geteuid() == 0 else []), str(config)]
    with running(command, port, tmp_path / "pgbouncer.log"):
        yield port


Find = Callable[[tuple[HeldConnection, ...], int], HeldConnection]


def reported_root(dsn: str, app: str, console: str | None) -> tuple[int, str]:
    """The process id and the line of code that the command's report names as the root of the blocking."""
    more = ["--pgbouncer", console] if console else []
    done = subprocess.run(
        [sys.executable, "-m", "dbvitals", "connections", "--dsn", dsn, "--app", app, "--output", "-", *more],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DBVITALS_APP_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    (root,) = json.loads(done.stdout)["blocking"]
    return root["pid"], root["held_by"]["site"]


def holder_of_the_root(
    server: PostgresServer, locks: Operator, log: Path, find: Find, *, url: str, console: str | None = None
) -> HeldConnection:
    """Let the leak happen in a busy service, and somebody run into it: who holds the session that blocks them."""
    port = free_port()
    command, base = [sys.executable, str(SERVICE), url, str(port), TOKEN], f"http://127.0.0.1:{port}"
    with (
        running(command, port, log),
        httpx.Client(base_url=base, timeout=120) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        for room in (1, 2, 13, 4, 5):
            client.post(f"/holds/{room}").raise_for_status()
            client.get(f"/holds/{room}").raise_for_status()
        victim = threads.submit(client.post, "/holds/13")
        until_in_thread(lambda: bool(locks.execute(ROOT_BLOCKERS).fetchall()))
        ((root,),) = locks.execute(ROOT_BLOCKERS).fetchall()
        with pytest.raises(ServerError, match="refuses the token"):
            read_app(base, "wrong")
        (seen,) = read_app(base, TOKEN)
        found = find(seen.connections, root)
        told = reported_root(server.dsn(), base, console)
        locks.execute("SELECT pg_terminate_backend(%s, 60000)", (root,))
        victim.result().raise_for_status()
    assert seen.connections[0] == found  # nobody holds one for longer
    assert told == (root, found.site)
    return found


def by_backend_pid(connections: tuple[HeldConnection, ...], root: int) -> HeldConnection:
    (found,) = [held for held in connections if held.backend_pid == root]
    return found


def test_the_line_that_blocks_everyone_is_named(server: PostgresServer, locks: Operator, tmp_path: Path) -> None:
    url = server.dsn().replace("postgresql://", "postgresql+asyncpg://")
    held = holder_of_the_root(server, locks, tmp_path / "service.log", by_backend_pid, url=url)
    assert held.site == planted()
    assert held.callers[0].endswith(" hold")
    assert (held.route, held.tenant_hash) == ("POST /holds/13", "9f2c")


def test_the_line_is_named_behind_pgbouncer_in_transaction_mode(
    server: PostgresServer, pgbouncer: int, locks: Operator, tmp_path: Path
) -> None:
    console = f"postgresql://operator@127.0.0.1:{pgbouncer}/pgbouncer"

    def by_port(connections: tuple[HeldConnection, ...], root: int) -> HeldConnection:
        with psycopg.connect(console, autocommit=True, prepare_threshold=None, row_factory=dict_row) as admin:
            clients = admin.execute("SHOW CLIENTS").fetchall()
            servers = {row["ptr"]: row["remote_pid"] for row in admin.execute("SHOW SERVERS")}
        (port,) = [row["port"] for row in clients if servers.get(row["link"]) == root]
        assert root not in {held.backend_pid for held in connections}  # what they know is PgBouncer's invention
        (found,) = [held for held in connections if held.local_port == port]
        return found

    url = f"postgresql+asyncpg://hotel@127.0.0.1:{pgbouncer}/hotel"
    held = holder_of_the_root(server, locks, tmp_path / "service.log", by_port, url=url, console=console)
    assert held.site == planted()
    assert held.route == "POST /holds/13"
