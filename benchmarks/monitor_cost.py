"""What one look costs the server, beside a refresh of pg_activity and a scrape of prometheus-postgres-exporter.

Processor time of all of the server's processes, by the kernel's count, at 10, 100 and 400 connections, half of them
idle, half in a transaction: a pool at work. (pg_activity leaves idle ones out of its list: it is cheaper on an idle
pool, a look is not.) The watch takes the cheap look four times a second and the details once an interval.
pg_activity is the one on PATH or named by PG_ACTIVITY (its program), the exporter the one on PATH or named by
PG_EXPORTER; a peer that is not there is left out, and the table says so.
"""

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.report import show
from dbvitals.collect.activity import PoolScope, ProbeLimits, open_activity
from dbvitals.sandbox import PostgresServer, find_all_postgres, start_postgres
from dbvitals.sandbox.ports import free_port
from dbvitals.settings import PostgresTarget, Timeouts

SIZES = (10, 100, 400)
LOOKS, REFRESHES, ROUNDS = 60, 15, 7
"""The cheapest round counts: others on the machine can only make it dearer."""

INTERVAL_LOOKS = 40
"""Cheap looks for each one with details: the defaults of --watch."""

REFRESH = """\
import json, sys
from pgactivity.data import Data
data = Data.pg_connect(**json.loads(sys.stdin.readline()))
skip = sys.argv[2] == "skip"
what = {"using_rds": False, "skip_db_size": skip, "skip_tempfile": skip, "skip_walreceiver": skip}
information = None
while True:
    for _ in range(int(sys.argv[1])):
        information = data.pg_get_server_information(prev_server_info=information, **what)
        data.pg_get_activities(1)
    print("ready", flush=True)
    if not sys.stdin.readline():
        break
"""
"""What its user interface does at each refresh, without drawing. As released (3.6.2) it skips what `skip` stands for,
unless it is given --db-size --tempfiles --walreceiver."""

Work = Callable[[], None]


def run(*, full: bool) -> None:
    """Measure on every PostgreSQL of the machine; all of it is quick enough for the small run."""
    rows = []
    for binaries in find_all_postgres():
        settings = {"max_connections": "450", "autovacuum": "off", "shared_preload_libraries": ""}
        with start_postgres(binaries, settings=settings, tcp=True) as server:
            rows += [_measure(server, size) for size in SIZES]
    show("monitor_cost", "Processor time of the server for one look, in ms (0: not on this machine)", rows)


def _measure(server: PostgresServer, size: int) -> dict[str, Any]:
    with contextlib.ExitStack() as stack:
        for number in range(size):
            connection = stack.enter_context(contextlib.closing(psycopg.connect(server.dsn(), autocommit=True)))
            connection.execute("select count(*) from pg_class, pg_attribute where false")
            if number % 2 == 0:
                connection.execute("begin")
                connection.execute(b"select 1 /* " + b"a statement as long as they are " * 20 + b"*/")
        look, details = _ours(server)
        activity, whole, exporter = _pg_activity(server, "skip"), _pg_activity(server, "all"), _exporter(server)
    watch = (look * INTERVAL_LOOKS + details) / (INTERVAL_LOOKS + 1)
    return {
        "PostgreSQL": server.major,
        "connections": size,
        "look": look,
        "details": details,
        "watch, a look": watch,
        "pg_activity": activity,
        "its --db-size etc.": whole,
        "exporter": exporter,
        "pg_activity / look": activity / look,
        "with --db-size etc.": whole / look,
        "exporter / look": exporter / look,
        "watch, % of a core": (look * 4 + details / 10) / 10,
    }


def _ours(server: PostgresServer) -> tuple[float, float]:
    parts = psycopg.conninfo.conninfo_to_dict(server.dsn())
    target = PostgresTarget(tuple(sorted((name, str(value)) for name, value in parts.items())))
    limits = ProbeLimits(long_query=30.0, leak=10.0)
    with open_activity(target, Timeouts(), PoolScope()) as reader:

        def look() -> None:
            for _ in range(LOOKS):
                reader.probe(limits, 0.0)

        def details() -> None:
            for _ in range(REFRESHES):
                reader.everything()

        look()
        details()
        return _cost(server, look) / LOOKS, _cost(server, details) / REFRESHES


def _pg_activity(server: PostgresServer, parts_read: str) -> float:
    program = os.environ.get("PG_ACTIVITY") or shutil.which("pg_activity")
    if program is None:
        return 0.0
    interpreter = Path(program).read_text(encoding="utf-8").splitlines()[0].removeprefix("#!")
    command = [interpreter, "-c", REFRESH, str(REFRESHES), parts_read]
    parts = psycopg.conninfo.conninfo_to_dict(server.dsn())
    login = {name: parts[name] for name in ("host", "user", "password")}
    login |= {"port": int(parts["port"] or 0), "database": parts["dbname"]}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        _answer(process, json.dumps(login))
        return _cost(server, lambda: _answer(process, "")) / REFRESHES


def _answer(process: "subprocess.Popen[str]", line: str) -> None:
    """Send a line, and wait until it is done."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n", "pg_activity failed"


def _exporter(server: PostgresServer) -> float:
    program = os.environ.get("PG_EXPORTER") or shutil.which("prometheus-postgres-exporter")
    if program is None:
        return 0.0
    address = f"127.0.0.1:{free_port()}"
    environment = os.environ | {"DATA_SOURCE_NAME": f"{server.dsn()}?sslmode=disable"}
    command = [program, f"--web.listen-address={address}"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            _scrape_until_it_answers(address)

            def scrape() -> None:
                for _ in range(REFRESHES):
                    _scrape(address)

            return _cost(server, scrape) / REFRESHES
        finally:
            process.terminate()


def _scrape(address: str) -> bytes:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        text: bytes = answer.read()
    assert b"\npg_up 1\n" in text
    return text


def _scrape_until_it_answers(address: str) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            _scrape(address)
        except (OSError, AssertionError):
            assert time.monotonic() < end, "the exporter does not answer"
            time.sleep(0.1)
        else:
            return


def _cost(server: PostgresServer, work: Work) -> float:
    """Milliseconds of processor that all of the server's processes used meanwhile, those that ended included."""
    costs = []
    for _ in range(ROUNDS):
        before = _used(server)
        work()
        costs.append(_used(server) - before)
    return min(costs) * 1000


def _used(server: PostgresServer) -> float:
    postmaster = server.pid
    ended = (Path("/proc") / str(postmaster) / "stat").read_text().rpartition(")")[2].split()
    ticks = int(ended[13]) + int(ended[14])
    return ticks / os.sysconf("SC_CLK_TCK") + sum(_running(pid) for pid in (postmaster, *_children(postmaster)))


def _running(pid: int) -> float:
    try:
        return int((Path("/proc") / str(pid) / "schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0.0


def _children(postmaster: int) -> Iterator[int]:
    for task in (Path("/proc") / str(postmaster) / "task").iterdir():
        yield from map(int, (task / "children").read_text().split())
