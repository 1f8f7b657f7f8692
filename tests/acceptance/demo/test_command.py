"""`python -m demo` as a user runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from demo.faults import FAULTS
from demo.redis_faults import REDIS_FAULTS

CONFIG = 'expectations = "app.expectations:expectations"\n'


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The command, in a folder of its own; standard error tells its stages."""
    (folder / "dbvitals.toml").write_text(CONFIG)
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", *options],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr
        process.stderr.close()


def read_until(process: subprocess.Popen[str], mark: str) -> list[str]:
    """Lines of standard error up to the one that begins with the mark."""
    assert process.stderr
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line.rstrip("\n"))
        if line.startswith(mark):
            return lines
    pytest.fail(f"ended without {mark!r}: {lines}")


def test_it_analyses_its_own_servers_and_leaves_only_the_report(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    for report in ("connection_pool_report", "index_analysis", "redis_analysis"):
        assert f"report: .playbook/{report}.json" in said.splitlines()
    for where, faults in (("PostgreSQL", FAULTS), ("Redis", REDIS_FAULTS)):
        assert f"planted in {where} and found: {len(faults)} of {len(faults)}" in said.splitlines()
    assert "  RED006  a room was locked without TTL, and the holder died (lock:*)" in said.splitlines()
    assert re.search(r"^in all: \d+\.\d s \(", said, re.MULTILINE)
    indexes, pool, cache = (
        json.loads((tmp_path / ".playbook" / f"{name}.json").read_bytes())
        for name in ("index_analysis", "connection_pool_report", "redis_analysis")
    )
    assert indexes["summary"]["missing_indexes"] > 0
    assert pool["summary"]["total_connections"] > 0
    assert pool["incomplete"] == []
    assert cache["summary"]["total_keys"] > 100
    assert cache["summary"]["hits"] > 100
    assert [path.name for path in tmp_path.glob("dbvitals-*")] == []


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_being_told_to_stop_it_stops_the_servers_and_leaves_nothing(tmp_path: Path, sign: signal.Signals) -> None:
    with demo(tmp_path) as process:
        read_until(process, "load")
        servers = children(process.pid)
        process.send_signal(sign)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "interrupted; the servers have been stopped"
    assert len(servers) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in servers)
    assert list(tmp_path.glob("dbvitals-*")) == []


def children(pid: int) -> list[str]:
    """Processes that this one has started, as Linux tells it."""
    return [child for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def test_served_it_can_be_reached_until_ctrl_c_and_kept_it_can_be_started_again(tmp_path: Path) -> None:
    with demo(tmp_path, "--serve", "--keep", "--no-faults") as process:
        lines = read_until(process, "running until Ctrl-C")
        dsn = next(line.split()[1] for line in lines if line.startswith("PostgreSQL "))
        with psycopg.connect(dsn) as connection:
            assert connection.execute("select count(*) > 60000 from audit_logs").fetchone() == (True,)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert said.splitlines()[-1].endswith("dbvitals sandbox up --name demo --home .playbook/demo")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    assert started_again(tmp_path, state) == "60"


def started_again(folder: Path, state: dict[str, str]) -> str:
    """Run the command that the demo printed, and ask the database how many hotels there are."""

    def sandbox(*arguments: str) -> str:
        program = Path(sys.executable).with_name("dbvitals")
        command = [str(program), "sandbox", *arguments]
        environment = {**os.environ, **state}
        done = subprocess.run(
            command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=60
        )
        return done.stdout

    sandbox("up", "--name", "demo", "--home", ".playbook/demo")
    try:
        servers = json.loads(sandbox("status", "--format", "json"))[0]["servers"]
        address = next(server["address"] for server in servers if server["kind"] == "postgres")
        with psycopg.connect(address, dbname="agente_hotel") as connection:
            row = connection.execute("select count(*)::text from tenants").fetchone()
    finally:
        sandbox("down", "--name", "demo")
    assert row
    return str(row[0])


def test_a_wrong_option_starts_nothing(tmp_path: Path) -> None:
    started = time.monotonic()
    with demo(tmp_path, "--scale", "huge") as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "huge" in said
    assert time.monotonic() - started < 30
