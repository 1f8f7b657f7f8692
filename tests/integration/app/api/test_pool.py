"""The figures of the pool, held against what PostgreSQL itself says of the same connections."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from app.core.database import Database
from app.core.errors import AppError
from app.core.pool_metrics import PoolMetrics, PoolUtilization
from app.db.tables import Tenant
from dbvitals.observe.pool import observe_pool
from tests.integration.app.hotel import Hotel, Owner, open_hotel

SIZE, OVERFLOW = 2, 2


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Ground:
    """A database whose pool is watched."""

    def __init__(self, hotel: Hotel, blocker: Owner) -> None:
        self._blocker = blocker
        told = hotel.settings.model_copy(update={"postgres_pool_size": SIZE, "postgres_max_overflow": OVERFLOW})
        self.hotel = hotel
        self.clock = Clock()
        self.database = Database(told)
        self.watch = observe_pool(self.database.engine, application="test", clock=self.clock)
        self.registry = CollectorRegistry()
        self.metrics = PoolMetrics(self.registry, self.watch, SIZE, OVERFLOW)

    @contextmanager
    def readers_wait(self) -> Iterator[None]:
        """Lock a table; on a connection of its own, since a transaction sees the server's sessions as it first did."""
        with self._blocker.transaction():
            self._blocker.execute("lock table tenants")
            yield

    def figures(self) -> dict[str, float]:
        self.metrics.refresh()
        found = {sample.name: sample.value for metric in self.registry.collect() for sample in metric.samples}
        utilization = next(iter(PoolUtilization(self.registry).collect()))
        return {
            name.removeprefix("db_pool_").removesuffix("_connections"): value
            for name, value in (found | {"utilization_percent": utilization.samples[0].value}).items()
        }

    def sessions(self) -> dict[str, int]:
        """How many sessions of the service the server has, by state."""
        rows = self.hotel.owner.execute(
            "select state, count(*) from pg_stat_activity where datname = current_database()"
            " and application_name = 'agente-hotelero' group by state"
        )
        return {str(state): int(str(count)) for state, count in rows}

    async def one_waits(self) -> None:
        """Wait until a statement stands before the lock."""
        query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        async with asyncio.timeout(30):
            while self.hotel.one(query) != (1,):
                await asyncio.sleep(0.02)

    async def server_has(self, wanted: dict[str, int]) -> None:
        async with asyncio.timeout(30):
            while self.sessions() != wanted:
                await asyncio.sleep(0.02)


async def read(ground: Ground) -> None:
    async with ground.database.read(ground.hotel.ours) as session:
        await session.execute(select(Tenant.id))


async def write_where_only_reading_is_allowed(ground: Ground) -> None:
    async with ground.database.read(ground.hotel.ours) as session:
        session.add(Tenant(name="x"))
        await session.flush()


async def lose_the_connection(ground: Ground) -> None:
    async with ground.database.read(ground.hotel.ours) as session:
        await session.execute(select(Tenant.id))
        ground.hotel.owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and application_name = 'agente-hotelero'"
        )
        await ground.server_has({})
        await session.execute(select(Tenant.id))


@pytest_asyncio.fixture
async def ground(database: str, connect: Callable[[str], Owner]) -> AsyncIterator[Ground]:
    made = Ground(open_hotel(database, connect(database)), connect(database))
    yield made
    await made.database.close()


@pytest.mark.asyncio
async def test_a_pool_that_was_never_used_has_nothing_and_no_negative_overflow(ground: Ground) -> None:
    assert ground.figures() == {
        "active": 0,
        "idle": 0,
        "total": 0,
        "overflow": 0,
        "long_running_queries": 0,
        "idle_in_transaction": 0,
        "size_configured": SIZE,
        "max_overflow_configured": OVERFLOW,
        "utilization_percent": 0,
    }


@pytest.mark.asyncio
async def test_connections_in_use_in_transactions_and_idle_agree_with_the_server(ground: Ground) -> None:
    async with AsyncExitStack() as open_ones:
        for _ in range(3):
            session = await open_ones.enter_async_context(ground.database.read(ground.hotel.ours))
            await session.execute(select(Tenant.id))
        figures = ground.figures()
        assert (figures["active"], figures["idle"], figures["idle_in_transaction"]) == (3, 0, 3)
        assert (figures["total"], figures["overflow"], figures["utilization_percent"]) == (3, 1, 75)
        assert ground.sessions() == {"idle in transaction": 3}
    figures = ground.figures()
    assert (figures["active"], figures["idle"], figures["idle_in_transaction"]) == (0, 2, 0)
    assert (figures["total"], figures["overflow"]) == (2, 0)
    await ground.server_has({"idle": 2})


@pytest.mark.asyncio
async def test_a_statement_that_runs_for_long_is_counted_as_such_and_not_as_idle(ground: Ground) -> None:
    with ground.readers_wait():
        reading = asyncio.create_task(read(ground))
        await ground.one_waits()
        ground.clock.now += 30
        assert ground.figures()["long_running_queries"] == 0
        ground.clock.now += 1
        figures = ground.figures()
        assert (figures["long_running_queries"], figures["idle_in_transaction"], figures["active"]) == (1, 0, 1)
    await reading
    figures = ground.figures()
    assert (figures["long_running_queries"], figures["active"], figures["idle"]) == (0, 0, 1)


@pytest.mark.asyncio
async def test_a_read_without_a_transaction_is_never_idle_in_one(ground: Ground) -> None:
    async with ground.database.hot.connect() as connection:
        await connection.execute(select(Tenant.id))
        figures = ground.figures()
        assert (figures["active"], figures["idle_in_transaction"]) == (1, 0)
        assert ground.sessions() == {"idle": 1}


@pytest.mark.asyncio
async def test_errors_cancellation_and_lost_connections_leave_no_trace(ground: Ground) -> None:
    with pytest.raises((AppError, SQLAlchemyError)):
        await write_where_only_reading_is_allowed(ground)
    with ground.readers_wait():
        waiting = asyncio.create_task(read(ground))
        await ground.one_waits()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    with pytest.raises((AppError, SQLAlchemyError)):
        await lose_the_connection(ground)
    ground.clock.now += 1000
    figures = ground.figures()
    assert (figures["active"], figures["idle_in_transaction"], figures["long_running_queries"]) == (0, 0, 0)
    assert figures["total"] == figures["idle"] == sum(ground.sessions().values())


@pytest.mark.asyncio
async def test_connections_that_are_taken_out_or_thrown_away_count_no_more(ground: Ground) -> None:
    async with ground.database.hot.connect() as connection:
        await connection.run_sync(Connection.detach)
        await connection.execute(select(Tenant.id))
        assert ground.figures()["total"] == 0
        assert ground.sessions() == {"idle": 1}
    async with ground.database.read(ground.hotel.ours):
        assert ground.figures()["total"] == 1
    await ground.database.engine.dispose()
    assert ground.figures()["total"] == 0
    async with ground.database.read(ground.hotel.ours):
        assert ground.figures()["active"] == 1
