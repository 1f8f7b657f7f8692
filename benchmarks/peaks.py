"""Short peaks: how many of 16 bursts, half a second to three seconds long, a watch with its defaults sees.

40 connections are busy during a burst and idle between two. The same looks, thinned out, show what slower sampling
would have seen. `--full` spreads the bursts over 200 seconds instead of the watch's default of 60.
"""

import contextlib
import random
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import psycopg

from benchmarks.report import show
from dbvitals.collect.activity import PoolScope, ProbeLimits, open_activity
from dbvitals.collect.watch import Watch, WatchPlan
from dbvitals.sandbox import PostgresServer, find_all_postgres, start_postgres
from dbvitals.settings import PostgresTarget, Timeouts
from dbvitals.snapshot_activity import Looked

BURSTS, CONNECTIONS, SEED = 16, 40, 7
SHORTEST, LONGEST = 0.5, 3.0
PERIODS = (0.25, 1.0, 2.0, 10.0)
"""The first is the watch's own."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Seconds since the watch began."""

    start: float
    end: float


def run(*, full: bool) -> None:
    """Measure on every PostgreSQL of the machine."""
    duration = 200.0 if full else 60.0
    rows = []
    for binaries in find_all_postgres():
        with start_postgres(binaries, settings={"autovacuum": "off", "max_connections": "100"}) as server:
            rows.append({"PostgreSQL": server.major, **_measure(server, duration)})
    show("peaks", f"Of {BURSTS} bursts in {duration:.0f} s, how many were seen by a look every so many seconds", rows)


def _measure(server: PostgresServer, duration: float) -> dict[str, Any]:
    parts = psycopg.conninfo.conninfo_to_dict(server.dsn())
    target = PostgresTarget(tuple(sorted((name, str(value)) for name, value in parts.items())))
    limits = ProbeLimits(long_query=30.0, leak=10.0)
    plan = WatchPlan(interval=10.0, duration=duration, limits=limits)
    watch = Watch(lambda: open_activity(target, Timeouts(), PoolScope()), plan)
    with contextlib.ExitStack() as stack:
        pool = [
            stack.enter_context(contextlib.closing(psycopg.connect(server.dsn(), autocommit=True)))
            for _ in range(CONNECTIONS)
        ]
        bursts: list[Burst] = []
        began = time.monotonic()
        load = threading.Thread(target=_load, args=(pool, _schedule(duration), began, bursts))
        load.start()
        looks = [
            (event.probe.seconds, event.probe.active or 0) for event in watch.events() if isinstance(event, Looked)
        ]
        load.join()
    seen = {f"every {period:g} s": sum(_seen(burst, _thin(looks, period)) for burst in bursts) for period in PERIODS}
    return {**seen, "looks": len(looks), "server, % of a core": (watch.budget.server_seconds or 0.0) / duration * 100}


def _schedule(duration: float) -> list[Burst]:
    """Bursts of even lengths, in an order and with pauses by chance; the sum of all is the duration."""
    chance = random.Random(SEED)
    lengths = [SHORTEST + (LONGEST - SHORTEST) * number / (BURSTS - 1) for number in range(BURSTS)]
    chance.shuffle(lengths)
    weights = [chance.uniform(0.5, 1.5) for _ in range(BURSTS + 1)]
    pause = (duration - sum(lengths)) / sum(weights)
    bursts, now = [], 0.0
    for length, weight in zip(lengths, weights, strict=False):
        now += weight * pause
        bursts.append(Burst(now, now + length))
        now += length
    return bursts


def _load(pool: list[psycopg.Connection[Any]], plan: list[Burst], began: float, done: list[Burst]) -> None:
    for burst in plan:
        time.sleep(max(0.0, began + burst.start - time.monotonic()))
        start = time.monotonic() - began
        for connection in pool:
            connection.pgconn.send_query(f"select pg_sleep({burst.end - burst.start})".encode())
            connection.pgconn.flush()
        # Waiting in libpq would stop the watch's thread as well.
        time.sleep(burst.end - burst.start)
        for connection in pool:
            while connection.pgconn.get_result() is not None:
                pass
        done.append(Burst(start, time.monotonic() - began))


def _thin(looks: list[tuple[float, int]], period: float) -> list[tuple[float, int]]:
    """What would have been seen with a look every `period` seconds."""
    if period <= PERIODS[0]:
        return looks
    due = [number * period for number in range(int(looks[-1][0] / period) + 1)]
    thinned = [min(looks, key=lambda look: abs(look[0] - moment)) for moment in due]
    return [a for a, b in pairwise([*thinned, (-1.0, 0)]) if a != b]


def _seen(burst: Burst, looks: list[tuple[float, int]]) -> bool:
    return any(burst.start <= seconds <= burst.end and active >= CONNECTIONS // 2 for seconds, active in looks)
