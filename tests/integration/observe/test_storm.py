"""A storm of everything that can happen to a checked-out connection, after which nothing may be left counted."""

import asyncio
import gc
import random
from contextlib import suppress

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from dbvitals.observe.pool import PoolObserver
from dbvitals.snapshot_pool import PoolState
from tests.integration.observe.conftest import MakeAsyncEngine
from tests.integration.observe.guests import PID, SLEEP, ignored_warnings, observed
from tests.integration.observe.waiting import until


async def _misuse(engine: AsyncEngine, chance: random.Random) -> None:
    """Take a connection, and give it back in one of the many ways; the driver may mind how it is treated."""
    with suppress(DBAPIError):
        await _take_and_give_back(engine, chance)


async def _take_and_give_back(engine: AsyncEngine, chance: random.Random) -> None:
    connection: AsyncConnection = await engine.connect()
    await connection.execute(PID)
    way = chance.choice(["close", "leak", "invalidate", "detach", "fail", "cancel"])
    if way == "leak":
        cycle: list[object] = [connection]
        cycle.append(cycle)
        return
    if way == "invalidate":
        await connection.invalidate()
    elif way == "detach":
        await connection.run_sync(Connection.detach)
    elif way == "fail":
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT 1 / 0"))
    elif way == "cancel":
        task = asyncio.create_task(connection.execute(SLEEP))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await connection.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_drifts_in_a_storm_of_every_kind(make_async_engine: MakeAsyncEngine, seed: int) -> None:
    engine = make_async_engine(pool_size=3, max_overflow=2, pool_timeout=30)
    observer = observed(engine)
    chance = random.Random(seed)
    for turn in range(6):
        with ignored_warnings():
            tasks = [asyncio.create_task(_misuse(engine, chance)) for _ in range(10)]
            done, _ = await asyncio.wait(tasks, timeout=0.3)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in done:
                task.result()
            del done, task, tasks
            # A statement that was cancelled a moment ago has to hear from the server first.
            await until(lambda: collected(observer).checked_out == 0)
        if turn == 3:
            await engine.dispose()
        assert observer.state().pending == 0
        assert engine.sync_engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert observer.observation().connections == ()
    window = observer.observation().window
    assert window.wait.count == window.checkouts


def collected(observer: PoolObserver) -> PoolState:
    """The state after a round of the garbage collector."""
    gc.collect()
    return observer.state()
