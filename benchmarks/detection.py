"""How long a watch with its defaults takes to name the root of a chain A<-B<-C, once C begins to wait."""

import contextlib
import random
import threading
import time
from statistics import median, quantiles
from typing import Any

import psycopg

from benchmarks.report import show
from dbvitals.analyse.blocking import TreeContext, blocking_trees
from dbvitals.collect.activity import PoolScope, ProbeLimits, open_activity
from dbvitals.collect.watch import Watch, WatchPlan
from dbvitals.sandbox import PostgresServer, find_all_postgres, start_postgres
from dbvitals.settings import PostgresTarget, Timeouts
from dbvitals.snapshot_activity import Detailed

TRIALS, SEED, HOLD = 40, 7, 1.0


def run(*, full: bool) -> None:
    """Measure on every PostgreSQL of the machine."""
    rows = []
    for binaries in find_all_postgres():
        with start_postgres(binaries, settings={"autovacuum": "off"}) as server:
            rows.append({"PostgreSQL": server.major, **_measure(server)})
    show("detection", "Milliseconds until the root of a chain of three is named", rows)


def _measure(server: PostgresServer) -> dict[str, Any]:
    parts = psycopg.conninfo.conninfo_to_dict(server.dsn())
    target = PostgresTarget(tuple(sorted((name, str(value)) for name, value in parts.items())))
    plan = WatchPlan(interval=10.0, duration=3600.0, limits=ProbeLimits(long_query=30.0, leak=10.0))
    watch = Watch(lambda: open_activity(target, Timeouts(), PoolScope()), plan)
    blocked: list[tuple[float, int]] = []
    load = threading.Thread(target=_block_again_and_again, args=(server, watch, blocked))
    load.start()
    named: list[tuple[float, int]] = []
    for event in watch.events():
        if isinstance(event, Detailed):
            trees = blocking_trees(event.snapshot, TreeContext())
            named += [(time.monotonic(), tree.pid) for tree in trees if tree.victims == 2]
    load.join()
    waits = [_first(named, pid, moment) - moment for moment, pid in blocked]
    return {
        "trials": len(waits),
        "median": median(waits) * 1000,
        "p95": quantiles(waits, n=20)[-1] * 1000,
        "longest": max(waits) * 1000,
        "server, % of a core": (watch.budget.server_seconds or 0.0) / watch.seconds * 100,
    }


def _first(named: list[tuple[float, int]], pid: int, since: float) -> float:
    """When that root was named, or never."""
    return min((moment for moment, root in named if root == pid and moment >= since), default=float("inf"))


def _block_again_and_again(server: PostgresServer, watch: Watch, blocked: list[tuple[float, int]]) -> None:
    chance = random.Random(SEED)
    for _ in range(TRIALS):
        time.sleep(chance.uniform(0.3, 0.8))
        with contextlib.ExitStack() as stack:
            a, b, c = (
                stack.enter_context(contextlib.closing(psycopg.connect(server.dsn(), autocommit=True)))
                for _ in range(3)
            )
            a.execute("select pg_advisory_lock(1)")
            b.execute("select pg_advisory_lock(2)")
            for connection, key in ((b, b"1"), (c, b"2")):
                connection.pgconn.send_query(b"select pg_advisory_lock(" + key + b")")
                connection.pgconn.flush()
            blocked.append((time.monotonic(), a.info.backend_pid))
            time.sleep(HOLD)
    watch.stop.set()
