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
TIMES, ROUNDS = 15, 9
"""The cheapest round counts: others on the machine can only make it dearer."""

REFRESH = """\
import json, sys
from pgactivity.data import Data
data = Data.pg_connect(**json.loads(sys.stdin.readline()))
skip = sys.argv[1] == "skip"
what = {"using_rds": False, "skip_db_size": skip, "skip_tempfile": skip, "skip_walreceiver": skip}
information = None
while True:
    information = data.pg_get_server_information(prev_server_info=information, **what)
    data.pg_get_activities(1)
    print("ready", flush=True)
    if not sys.stdin.readline():
        break
"""
"""What its user interface does at each refresh, without drawing. As released (3.6.2) it skips what `skip` stands for,
unless it is given --db-size --tempfiles --walreceiver."""

Work = Callable[[], None]
"""One time of it."""


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
        work = {
            **stack.enter_context(_ours(server)),
            "pg_activity": stack.enter_context(_pg_activity(server, "skip")),
            "its --db-size etc.": stack.enter_context(_pg_activity(server, "all")),
            "exporter": stack.enter_context(_exporter(server)),
        }
        cost = _cheapest(server, work)
    look = cost["look"]
    return {
        "PostgreSQL": server.major,
        "connections": size,
        **cost,
        "watch, % of a core": (look * 4 + cost["details"] / 10) / 10,
        "pg_activity / look": cost["pg_activity"] / look,
        "with --db-size etc.": cost["its --db-size etc."] / look,
        "exporter / look": cost["exporter"] / look,
    }


def _cheapest(server: PostgresServer, work: dict[str, Work]) -> dict[str, float]:
    """Milliseconds of each for one time; by turns, so that whoever else is on the machine disturbs all alike."""
    costs: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, do in work.items():
            before = _used(server)
            for _ in range(TIMES):
                do()
            costs[name].append((_used(server) - before) / TIMES * 1000)
    return {name: min(found) for name, found in costs.items()}


@contextlib.contextmanager
def _ours(server: PostgresServer) -> Iterator[dict[str, Work]]:
    parts = psycopg.conninfo.conninfo_to_dict(server.dsn())
    target = PostgresTarget(tuple(sorted((name, str(value)) for name, value in parts.items())))
    limits = ProbeLimits(long_query=30.0, leak=10.0)
    with open_activity(target, Timeouts(), PoolScope()) as reader:

        def look() -> None:
            reader.probe(limits, 0.0)

        def details() -> None:
            reader.everything()

        for _ in range(TIMES):
            look()
            details()
        yield {"look": look, "details": details}


def _absent() -> None:
    """A peer that is not on this machine."""


@contextlib.contextmanager
def _pg_activity(server: PostgresServer, parts_read: str) -> Iterator[Work]:
    program = os.environ.get("PG_ACTIVITY") or shutil.which("pg_activity")
    if program is None:
        yield _absent
        return
    interpreter = Path(program).read_text(encoding="utf-8").splitlines()[0].removeprefix("#!")
    command = [interpreter, "-c", REFRESH, parts_read]
    parts = psycopg.conninfo.conninfo_to_dict(server.dsn())
    login = {name: parts[name] for name in ("host", "user", "password")}
    login |= {"port": int(parts["port"] or 0), "database": parts["dbname"]}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        _answer(process, json.dumps(login))
        yield lambda: _answer(process, "")


def _answer(process: "subprocess.Popen[str]", line: str) -> None:
    """Send a line, and wait until it is done."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n", "pg_activity failed"


@contextlib.contextmanager
def _exporter(server: PostgresServer) -> Iterator[Work]:
    program = os.environ.get("PG_EXPORTER") or shutil.which("prometheus-postgres-exporter")
    if program is None:
        yield _absent
        return
    address = f"127.0.0.1:{free_port()}"
    environment = os.environ | {"DATA_SOURCE_NAME": f"{server.dsn()}?sslmode=disable"}
    command = [program, f"--web.listen-address={address}"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            _scrape_until_it_answers(address)
            yield lambda: _scrape(address)
        finally:
            process.terminate()


def _scrape(address: str) -> None:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        assert b"\npg_up 1\n" in answer.read()


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
