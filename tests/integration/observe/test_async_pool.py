"""What `observe_pool` sees of an asyncio engine, whichever way a connection comes back."""

import asyncio
import gc
import inspect

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import NullPool

from dbvitals.observe.pool import observe_pool
from dbvitals.observe.registry import Labels
from tests.integration.observe.conftest import MakeAsyncEngine
from tests.integration.observe.guests import PID, SLEEP, forgetful, ignored_warnings, observed
from tests.integration.observe.waiting import until

pytestmark = pytest.mark.asyncio
GUESTS = "tests/integration/observe/guests.py"
HERE = "tests/integration/observe/test_async_pool.py"


async def books_a_room(engine: AsyncEngine) -> AsyncSession:
    return await forgetful(engine)


async def test_the_holder_is_named_by_file_line_and_callers(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine()
    observer = observed(engine)
    session = await books_a_room(engine)
    pid = (await session.execute(PID)).scalar_one()
    lines, first = inspect.getsourcelines(forgetful)
    execute = first + next(i for i, line in enumerate(lines) if "execute" in line)
    (held,) = observer.observation().connections
    await session.close()
    assert held.site == f"{GUESTS}:{execute} forgetful"
    assert held.callers[0].endswith(" books_a_room")
    assert held.callers[1].endswith(" test_the_holder_is_named_by_file_line_and_callers")
    assert held.backend_pid == pid
    assert held.local_port is None  # a Unix socket
    assert observer.observation().connections == ()


async def test_code_that_runs_inside_the_greenlet_is_found(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine()
    observer = observed(engine)

    def in_greenlet(session: object) -> list[str | None]:
        session.execute(PID)  # type: ignore[attr-defined]
        return [held.site for held in observer.observation().connections]

    async with AsyncSession(engine) as session:
        (site,) = await session.run_sync(in_greenlet)
    assert site is not None
    assert site.endswith(" in_greenlet")


async def test_a_task_waited_for_with_a_timeout_is_found(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine()
    observer = observed(engine)
    session = await asyncio.wait_for(books_a_room(engine), 60)
    (held,) = observer.observation().connections
    await session.close()
    assert held.site is not None
    assert held.site.endswith(" forgetful")
    assert not any("asyncio" in caller or "pytest" in caller for caller in held.callers)


async def test_route_and_tenant_come_from_the_context_of_the_taker(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine()
    labels = Labels("POST /v1/holds", "9f2c")
    observer = observe_pool(engine, application="test", labels=lambda: labels)
    async with engine.connect():
        (held,) = observer.observation().connections
    assert (held.route, held.tenant_hash) == ("POST /v1/holds", "9f2c")


async def test_plumbing_is_no_answer(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine()
    observer = observe_pool(engine, application="test", plumbing=("tests.integration.observe",))
    async with engine.connect():
        (held,) = observer.observation().connections
    assert held.site is None or HERE not in held.site


async def test_waiting_is_counted_and_timed_apart_from_connecting(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine(pool_size=1, max_overflow=0)
    observer = observed(engine)
    holder = await engine.connect()
    waiter = asyncio.create_task(forgetful(engine))
    await until(lambda: observer.state().pending == 1)
    await asyncio.sleep(0.05)
    await holder.close()
    await (await waiter).close()
    window = observer.observation().window
    assert observer.state().pending == 0
    assert (window.checkouts, window.wait.count, window.hold.count, window.create.count) == (2, 2, 2, 1)
    assert window.wait.maximum >= 0.05
    # The first one made its connection, and waited for nobody.
    assert window.wait.sum - window.wait.maximum < window.create.sum
    assert window.hold.maximum >= 0.05


async def test_who_waits_in_vain_is_counted(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine(pool_size=1, max_overflow=0, pool_timeout=0.05)
    observer = observed(engine)
    async with engine.connect():
        with pytest.raises(PoolTimeout):
            await forgetful(engine)
    state, window = observer.state(), observer.observation().window
    assert (state.timeouts_total, state.pending, state.checked_out) == (1, 0, 0)
    assert (window.checkouts, window.timeouts, window.wait.count, window.hold.count) == (2, 1, 2, 1)


async def test_who_is_cancelled_while_waiting_waits_no_more(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine(pool_size=1, max_overflow=0)
    observer = observed(engine)
    async with engine.connect():
        waiters = [asyncio.create_task(forgetful(engine)) for _ in range(3)]
        await until(lambda: observer.state().pending == 3)
        waiters[1].cancel()
        await asyncio.wait([waiters[1]])
        assert observer.state().pending == 2
    for waiter in (waiters[0], waiters[2]):
        await (await waiter).close()
    assert (observer.state().pending, observer.state().checked_out) == (0, 0)


async def test_who_is_cancelled_in_a_statement_holds_nothing(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine()
    observer = observed(engine)

    async def slow() -> None:
        async with engine.connect() as connection:
            await connection.execute(SLEEP)

    task = asyncio.create_task(slow())
    await until(lambda: observer.running_longer_than(0.0) == 1)
    task.cancel()
    await asyncio.wait([task])
    assert (observer.active, observer.total, observer.running_longer_than(0.0)) == (0, 0, 0)


async def test_what_the_garbage_collector_finds_is_held_no_more(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine()
    observer = observed(engine)
    with ignored_warnings():
        for _ in range(3):
            await forgetful(engine)
        gc.collect()
    assert (observer.active, observer.total) == (0, 0)
    assert observer.observation().window.hold.count == observer.observation().window.checkouts == 3


async def test_an_invalidated_connection_is_held_no_more(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine()
    observer = observed(engine)
    async with engine.connect() as connection:
        await connection.invalidate()
        assert (observer.active, observer.total) == (0, 0)
        await connection.rollback()
        await connection.execute(PID)
        assert (observer.active, observer.total) == (1, 1)
    assert (observer.active, observer.total) == (0, 1)


async def test_a_lost_server_leaves_nothing_held(make_async_engine: MakeAsyncEngine) -> None:
    engine, killer = make_async_engine(pool_size=3), make_async_engine()
    observer = observed(engine)
    sessions = [await forgetful(engine) for _ in range(3)]
    async with killer.connect() as connection:
        for session in sessions:
            pid = (await session.execute(PID)).scalar_one()
            await connection.execute(text("SELECT pg_terminate_backend(:pid, 60000)"), {"pid": pid})
    for session in sessions:
        with pytest.raises(DBAPIError):
            await session.execute(PID)
        await session.close()
    assert (observer.active, observer.total) == (0, 0)


async def test_a_detached_connection_is_not_the_pools(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine()
    observer = observed(engine)
    async with engine.connect() as connection:
        await connection.run_sync(lambda inner: inner.detach())
        assert (observer.active, observer.total) == (0, 0)
        await connection.execute(PID)
    assert (observer.active, observer.total) == (0, 0)


async def test_disposal_loses_nobody_and_the_new_pool_is_observed(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine(pool_size=1, max_overflow=0)
    observer = observed(engine)
    before = await books_a_room(engine)
    await engine.dispose()
    after = await books_a_room(engine)
    assert observer.active == 2
    assert len(observer.observation().connections) == 2
    await before.close()
    await after.close()
    assert observer.active == 0
    assert observer.observation().window.checkouts == 2


async def test_pools_without_a_limit_have_no_capacity(make_async_engine: MakeAsyncEngine) -> None:
    unlimited = [
        observed(make_async_engine(poolclass=NullPool)),
        observed(make_async_engine(pool_size=0, max_overflow=10)),
        observed(make_async_engine(pool_size=5, max_overflow=-1)),
    ]
    sizes = [(observer.state().size, observer.state().max_overflow) for observer in unlimited]
    assert sizes == [(None, None), (0, -1), (5, -1)]
    assert [observer.state().capacity for observer in unlimited] == [None, None, None]
    assert observed(make_async_engine(pool_size=5, max_overflow=10)).state().capacity == 15


async def test_a_connection_of_a_null_pool_is_held_and_gone(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine(poolclass=NullPool)
    observer = observed(engine)
    async with engine.connect():
        assert (observer.active, observer.total) == (1, 1)
    assert (observer.active, observer.total) == (0, 0)


async def test_open_transactions_and_long_statements_are_told_apart(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine()
    observer = observed(engine)
    async with engine.connect() as idle, engine.connect() as failed, engine.connect() as busy:
        await idle.execute(PID)
        with pytest.raises(DBAPIError):
            await failed.execute(text("SELECT 1 / 0"))
        task = asyncio.create_task(busy.execute(SLEEP))
        await until(lambda: observer.running_longer_than(0.0) == 1)
        assert observer.idle_in_transaction == 2
        assert observer.running_longer_than(3600.0) == 0
        await idle.commit()
        assert observer.idle_in_transaction == 1
        task.cancel()
        await asyncio.wait([task])


async def test_an_engine_is_observed_once(make_async_engine: MakeAsyncEngine) -> None:
    engine = make_async_engine()
    observed(engine)
    with pytest.raises(ValueError, match="observed already"):
        observed(engine)
