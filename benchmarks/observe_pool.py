"""What it costs to observe a pool: CPU time of a checkout and its return, plain and observed, turn about.

A checkout that runs nothing, so that all of the difference is the observer's; once from a shallow stack, once from
below as many frames as a web framework puts between a request and the code, none of them the application's, so that all
are walked. `full` has a listener's histograms
(Prometheus) and the labels of a request as well. The CPU is this process's; medians of the rounds, since the machine
may be busy with other things. What is not observed is SQLAlchemy's own pool, untouched.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.report import show
from dbvitals.observe.metrics import PoolMetrics
from dbvitals.observe.pool import observe_pool
from dbvitals.observe.registry import Labels
from dbvitals.sandbox import find_postgres, start_postgres

FRAMES = (0, 60)
TARGET_MICROSECONDS = 80
NOWHERE = ("elsewhere",)
REQUEST = Labels("POST /v1/holds", "9f2c")

labels: ContextVar[Labels] = ContextVar("labels", default=REQUEST)

Cycle = Callable[[int], Awaitable[None]]


def run(*, full: bool) -> None:
    """Measure asyncpg and psycopg on one server."""
    rounds, checkouts = (41, 500) if full else (15, 300)
    with start_postgres(find_postgres()) as server:
        rows = asyncio.run(_measure(server.dsn(), rounds, checkouts))
    show("observe_pool", f"CPU of a checkout and its return, microseconds (target: + {TARGET_MICROSECONDS})", rows)


async def _measure(dsn: str, rounds: int, checkouts: int) -> list[dict[str, object]]:
    rows = []
    for frames in FRAMES:
        row: dict[str, object] = {"frames": frames}
        for driver, make in (("asyncpg", _async_sides), ("psycopg", _sync_sides)):
            sides = make(dsn)
            cycles = [cycle for _, cycle in sides]
            plain, observed, everything = await _turn_about(cycles, frames, rounds, checkouts)
            row |= {driver: plain, f"{driver} observed +": observed - plain, f"{driver} full +": everything - plain}
            for engine, _ in sides:
                await _dispose(engine)
        rows.append(row)
    return rows


def _async_sides(dsn: str) -> list[tuple[AsyncEngine | Engine, Cycle]]:
    engines = [create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://")) for _ in range(3)]
    _observe(engines[1], engines[2])
    return [(engine, _async_cycle(engine)) for engine in engines]


def _sync_sides(dsn: str) -> list[tuple[AsyncEngine | Engine, Cycle]]:
    engines = [create_engine(dsn.replace("postgresql://", "postgresql+psycopg://")) for _ in range(3)]
    _observe(engines[1], engines[2])
    return [(engine, _sync_cycle(engine)) for engine in engines]


def _observe(simply: AsyncEngine | Engine, fully: AsyncEngine | Engine) -> None:
    observe_pool(simply, application="benchmark", packages=NOWHERE)
    listener = PoolMetrics(CollectorRegistry()).listener("main")
    observe_pool(fully, application="benchmark", packages=NOWHERE, labels=labels.get, listener=listener)


def _async_cycle(engine: AsyncEngine) -> Cycle:
    async def cycle(checkouts: int) -> None:
        for _ in range(checkouts):
            connection = await engine.connect()
            await connection.close()

    return cycle


def _sync_cycle(engine: Engine) -> Cycle:
    async def cycle(checkouts: int) -> None:
        for _ in range(checkouts):
            engine.connect().close()

    return cycle


async def _turn_about(cycles: list[Cycle], frames: int, rounds: int, checkouts: int) -> list[float]:
    took: list[list[float]] = [[] for _ in cycles]
    for cycle in cycles:
        await cycle(10)
    for _ in range(rounds):
        for cycle, found in zip(cycles, took, strict=True):
            started = time.process_time()
            await _below(frames, cycle, checkouts)
            found.append((time.process_time() - started) / checkouts * 1e6)
    return [statistics.median(found) for found in took]


async def _below(frames: int, cycle: Cycle, checkouts: int) -> None:
    """Run it below so many frames."""
    if frames:
        await _below(frames - 1, cycle, checkouts)
    else:
        await cycle(checkouts)


async def _dispose(engine: AsyncEngine | Engine) -> None:
    if isinstance(engine, AsyncEngine):
        await engine.dispose()
    else:
        engine.dispose()
