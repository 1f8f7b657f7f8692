"""One trap of the study a test, each on a real pool of SQLAlchemy; the numbers are the study's."""

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import QueuePool, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.pool_metrics import PoolMetrics
from dbvitals.analyse.fleet import PoolConfig
from dbvitals.analyse.pool_sizing import FEWEST_CHECKOUTS, PoolSupply, WaitTarget, size_pool
from dbvitals.observe import metrics
from dbvitals.observe.pool import PoolObserver, observe_pool
from tests.integration.connections.crowd import report
from tests.integration.observe.conftest import MakeAsyncEngine, MakeEngine
from tests.integration.observe.guests import PID, ignored_warnings, observed
from tests.integration.observe.waiting import until, until_in_thread

USED = {"db_client_connection_pool_name": "default", "db_client_connection_state": "used"}


class Figures:
    """The guide's gauges and OpenTelemetry's of one pool."""

    def __init__(self, observer: PoolObserver, size: int, max_overflow: int) -> None:
        self._observer = observer
        self._registry = CollectorRegistry()
        self._guide = PoolMetrics(self._registry, observer, size, max_overflow)
        self._open_telemetry = metrics.PoolMetrics(self._registry)

    def __getitem__(self, name: str) -> float | None:
        self._guide.refresh()
        self._open_telemetry.refresh(self._observer)
        return self._registry.get_sample_value(name, USED if name == "db_client_connection_count" else {})


def test_trap_34_overflow_is_never_negative_and_begins_beyond_the_size(make_engine: MakeEngine, database: str) -> None:
    engine = make_engine(pool_size=3, max_overflow=4)
    figures = Figures(observe_pool(engine, application="test"), 3, 4)
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    assert (pool.overflow(), figures["db_pool_overflow"]) == (-3, 0)
    with ExitStack() as taken:
        for number in range(1, 6):
            taken.enter_context(engine.connect())
            assert pool.overflow() == number - 3
            assert figures["db_pool_overflow"] == max(0, number - 3)
            summary = report(database, pool=PoolConfig(size=3, max_overflow=4)).summary
            assert (summary.total_connections, summary.overflow_in_use) == (number, max(0, number - 3))
    # It counts what is open, not what is out: the base size stays open, and is no overflow.
    assert (figures["db_pool_total_connections"], figures["db_pool_overflow"]) == (3, 0)


def test_trap_36_the_pool_is_looked_up_anew_after_a_disposal(make_engine: MakeEngine) -> None:
    engine = make_engine(pool_size=1, max_overflow=0, pool_timeout=60)
    observer = observe_pool(engine, application="test")
    old = engine.pool
    held = engine.connect()
    engine.dispose()
    assert engine.pool is not old
    with ThreadPoolExecutor(1) as threads:
        with engine.connect():
            assert observer.active == 2, "one is the old pool's"
            waiting = threads.submit(lambda: engine.connect().close())
            until_in_thread(lambda: observer.state().pending == 1)
        waiting.result()
    assert (observer.state().size, observer.state().capacity, observer.active) == (1, 1, 1)
    held.close()
    assert (observer.active, observer.state().pending) == (0, 0)
    old.dispose()
    assert observer.total == 1
    assert observer.observation().window.hold.count == 3


async def hold_for_ever(engine: AsyncEngine, taken: list[int]) -> None:
    """A handler that is cancelled while it streams, and has no `async with`."""
    connection = await engine.connect()
    taken.append((await connection.execute(PID)).scalar_one())
    await asyncio.Event().wait()


@pytest.mark.asyncio
async def test_trap_38_three_cancelled_tasks_hold_nothing_once_they_are_collected(
    make_async_engine: MakeAsyncEngine,
) -> None:
    """No checkin is announced of them; who counts checkouts less checkins says 3 for ever."""
    engine = make_async_engine(pool_size=3, max_overflow=0, pool_timeout=60)
    observer = observed(engine)
    figures = Figures(observer, 3, 0)
    pids: list[int] = []
    tasks = [asyncio.create_task(hold_for_ever(engine, pids)) for _ in range(3)]
    await until(lambda: len(pids) == 3)
    names = ("db_client_connection_count", "db_pool_active_connections", "db_pool_total_connections")
    assert [figures[name] for name in names] == [3, 3, 3]
    with ignored_warnings():
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        del tasks, task
        await until(lambda: gc.collect() >= 0 and observer.active == 0)
    assert [figures[name] for name in names] == [0, 0, 0]
    window = observer.observation().window
    assert (window.checkouts, window.hold.count) == (3, 3)
    connections = [await engine.connect() for _ in range(3)]
    assert figures["db_pool_active_connections"] == 3
    for connection in connections:
        await connection.close()


@pytest.mark.asyncio
async def test_trap_39_a_pool_that_is_too_small_is_seen_by_who_asks_and_not_by_who_is_out(
    make_async_engine: MakeAsyncEngine,
) -> None:
    """Never more than two are out of a pool of two, however many come: their number says nothing of the load."""
    engine = make_async_engine(pool_size=2, max_overflow=0, pool_timeout=600)
    observer = observed(engine)
    out: set[int] = set()

    async def guest() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT pg_sleep(0.005)"))
            out.add(observer.active)

    guests = [asyncio.create_task(guest()) for _ in range(4 * FEWEST_CHECKOUTS)]
    await until(lambda: observer.observation().window.hold.count >= FEWEST_CHECKOUTS)
    seen = observer.observation()
    for task in guests:
        task.cancel()
    await asyncio.wait(guests)
    assert max(out) == 2
    assert seen.window.checkouts == 4 * FEWEST_CHECKOUTS
    assert seen.pool.pending > FEWEST_CHECKOUTS
    advice = size_pool(seen, WaitTarget(), PoolSupply(connections=100))
    assert advice.load > 2
    assert advice.refused is not None
    assert advice.refused.why == "overload"
    assert (advice.needed, advice.pool_size) == (None, None)


@pytest.mark.asyncio
async def test_trap_39_a_full_pool_is_told_apart_from_an_exhausted_one_by_who_waits(
    make_async_engine: MakeAsyncEngine, database: str
) -> None:
    """The server sees the same two idle sessions, whether nobody or everybody wants one."""
    engine = make_async_engine(pool_size=2, max_overflow=0, pool_timeout=600)
    observer = observed(engine)
    connections = [await engine.connect() for _ in range(2)]
    pool = PoolConfig(size=2, max_overflow=0)
    quiet = report(database, pool=pool, observations=(observer.observation(),))
    waiting = [asyncio.create_task(engine.connect().start()) for _ in range(3)]
    await until(lambda: observer.state().pending == 3)
    full = report(database, pool=pool, observations=(observer.observation(),))
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    for connection in connections:
        await connection.close()
    assert (quiet.summary.pool_utilization_percent, full.summary.pool_utilization_percent) == (100, 100)
    assert (quiet.summary.waiting_connections, full.summary.waiting_connections) == (0, 3)
    messages = [finding.message for found in (quiet, full) for finding in found.findings if finding.rule == "CON001"]
    assert "the pool is warm, not exhausted" in messages[0]
    assert "3 wait for one: the pool is exhausted" in messages[1]
