"""A standby: as the server that is looked at, as another node, and as one that nobody has named."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbvitals.sandbox import PostgresServer, find_postgres, start_postgres
from dbvitals.sandbox.account import choose_account
from dbvitals.sandbox.process import run_program
from tests.acceptance.bad_days.blocked import incomplete_of
from tests.acceptance.cli.conftest import Run

REPORT = ".playbook/index_analysis.json"

TABLE = """
CREATE EXTENSION pg_stat_statements;
CREATE TABLE guests (id bigint PRIMARY KEY, phone text);
INSERT INTO guests SELECT i, i::text FROM generate_series(1, 5000) AS i;
CREATE INDEX idx_guests_phone ON guests (phone);
ANALYZE;
"""


@dataclass(frozen=True)
class Cluster:
    """A primary, and a standby on which alone an index is used."""

    primary: PostgresServer
    standby: PostgresServer


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    binaries, account = find_postgres(), choose_account()
    quiet = {"autovacuum": "off"}
    with start_postgres(binaries, settings=quiet) as primary, tempfile.TemporaryDirectory() as folder:
        _execute(primary, TABLE)
        home = Path(folder) / "home"
        Path(folder).chmod(0o755)
        with start_postgres(binaries, home=home, settings=quiet):
            pass  # makes the home, with its lock; its data give way to the primary's
        (home / "data").rename(home / "data.unused")
        programs = _programs(home, binaries.bin_dir)
        place = ("--host", primary.host, "--port", str(primary.port), "--username", "postgres")
        options = ("--checkpoint=fast", "--no-sync", "--write-recovery-conf", "--wal-method=stream")
        account.give(home)
        run_program(account, [programs / "pg_basebackup", "--pgdata", home / "data", *place, *options])
        with start_postgres(binaries, home=home, settings=quiet) as standby:
            _until(primary, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", 1)
            _execute(standby, "SELECT FROM guests WHERE phone = '7'")
            _until(standby, "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'idx_guests_phone'", 1)
            yield Cluster(primary, standby)


def _programs(home: Path, found: Path) -> Path:
    """Those that the server runs from: copied into its home when its account may not enter the wheel's folder."""
    copied = list(home.glob("programs/**/pg_basebackup"))
    return copied[0].parent if copied else found


def _execute(server: PostgresServer, statements: str) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(statements.encode())


def _until(server: PostgresServer, query: str, expected: int) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        for _ in range(200):
            if connection.execute(query.encode()).fetchone() == (expected,):
                return
            time.sleep(0.05)
    pytest.fail(f"never {expected}: {query}")


def unused(folder: Path) -> dict[str, dict[str, Any]]:
    document = json.loads((folder / REPORT).read_bytes())
    return {index["index"]: index for index in document["unused_indexes"]}


def node(server: PostgresServer) -> str:
    return f"host={server.host} port={server.port}"


def test_a_standby_that_nobody_names_leaves_the_verdict_open(run: Run, cluster: Cluster, tmp_path: Path) -> None:
    done = run("indexes", "--dsn", cluster.primary.dsn(), "--min-observed", "0", "--strict")
    assert (done.returncode, done.stderr) == (4, "")
    (why,) = (part["why"] for part in incomplete_of(tmp_path / REPORT).values())
    assert why == "1 standby(s) known, 0 looked at"
    index = unused(tmp_path)["idx_guests_phone"]
    assert (index["droppable"], index["sql"]) == (False, None)
    assert "replica_not_seen" in index["kept_because"]


def test_what_a_standby_uses_is_used(run: Run, cluster: Cluster, tmp_path: Path) -> None:
    arguments = ("--dsn", cluster.primary.dsn(), "--replica", node(cluster.standby))
    done = run("indexes", *arguments, "--min-observed", "0", "--strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert "idx_guests_phone" not in unused(tmp_path)


def test_a_standby_can_be_looked_at(run: Run, cluster: Cluster, tmp_path: Path) -> None:
    done = run("indexes", "--dsn", cluster.standby.dsn())
    assert (done.returncode, done.stderr) == (0, "")
    assert f"on {node(cluster.standby).split()[0][5:]}:{cluster.standby.port}, replica, as postgres" in " ".join(
        done.stdout.split()
    )
    assert json.loads((tmp_path / REPORT).read_bytes())["target"]["role"] == "replica"
    assert "idx_guests_phone" not in unused(tmp_path)


def test_a_standby_alone_calls_nothing_droppable(run: Run, cluster: Cluster, tmp_path: Path) -> None:
    _execute(cluster.primary, "CREATE INDEX idx_guests_upper ON guests (upper(phone))")
    _until(cluster.standby, "SELECT count(*) FROM pg_class WHERE relname = 'idx_guests_upper'", 1)
    try:
        assert run("indexes", "--dsn", cluster.standby.dsn(), "--min-observed", "0").returncode == 0
        assert "replica_not_seen" in unused(tmp_path)["idx_guests_upper"]["kept_because"]
        both = ("--dsn", cluster.standby.dsn(), "--replica", node(cluster.primary))
        assert run("indexes", *both, "--min-observed", "0").returncode == 0
        assert "replica_not_seen" not in unused(tmp_path)["idx_guests_upper"]["kept_because"]
    finally:
        _execute(cluster.primary, "DROP INDEX idx_guests_upper")


def test_another_server_is_no_replica(run: Run, cluster: Cluster, pg15: PostgresServer, tmp_path: Path) -> None:
    done = run("indexes", "--dsn", cluster.primary.dsn(), "--replica", node(pg15))
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert "is not a node of the cluster of" in line
    assert os.listdir(tmp_path) == []  # noqa: PTH208 -- hidden ones too
