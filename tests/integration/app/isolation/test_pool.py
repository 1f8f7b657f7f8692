"""Connections go back as they came: no tenant, no open transaction, no half-done work reaches the next user."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import Database, WriteSession
from app.core.errors import Conflict, Unavailable
from app.core.ids import uuid7
from app.core.tenancy import TenantScope
from app.db.tables import Lock, Tenant
from tests.integration.app.hotel import Hotel

pytestmark = pytest.mark.asyncio

TENANT = text("select nullif(current_setting('app.tenant_id', true), '')")


@pytest.fixture
def single(hotel: Hotel) -> Database:
    """A database with one connection, so that the next user has that of the one before."""
    return Database(hotel.settings.model_copy(update={"postgres_pool_size": 1, "postgres_max_overflow": 0}))


async def left_behind(engine: AsyncEngine) -> object:
    async with engine.connect() as connection:
        return await connection.scalar(TENANT)


async def backend(engine: AsyncEngine) -> object:
    async with engine.connect() as connection:
        return await connection.scalar(select(func.pg_backend_pid()))


Step = Callable[[WriteSession], Awaitable[object]]


async def nothing(_: WriteSession) -> None:
    """Go on."""


async def fail(_: WriteSession) -> None:
    raise RuntimeError("planned")


async def clash(session: WriteSession) -> None:
    values = {"tenant_id": session.scope.tenant_id, "owner": "desk", "resource": "room:101"}
    for _ in range(2):
        await session.execute(insert(Lock).values(**values, expires_at=text("now() + interval '1 hour'")))


async def dawdle(session: WriteSession) -> None:
    await asyncio.sleep(0.5)
    await session.execute(TENANT)


async def rename(database: Database, scope: TenantScope, name: str, then: Step = nothing) -> None:
    async with database.unit_of_work(scope) as session:
        (await session.get_one(Tenant, scope.tenant_id)).name = name
        await session.flush()
        await then(session)


async def test_the_tenant_ends_with_the_transaction(hotel: Hotel, single: Database) -> None:
    pid = await backend(single.engine)
    for way in (single.read, single.unit_of_work):
        async with way(hotel.ours) as session:
            assert await session.scalar(TENANT) == str(hotel.ours.tenant_id)
        assert await left_behind(single.hot) is None
        assert await left_behind(single.engine) is None
        async with way(hotel.theirs) as session:
            assert await session.scalar(select(Tenant.id)) == hotel.theirs.tenant_id
    with pytest.raises(RuntimeError):
        await rename(single, hotel.ours, "Hotel Perdido", then=fail)
    assert await left_behind(single.hot) is None
    assert await backend(single.engine) == pid
    await single.close()


async def test_what_ends_well_is_committed_and_what_fails_is_not(hotel: Hotel, service: Database) -> None:
    await rename(service, hotel.ours, "Hotel Bellavista")
    name = "select name from tenants where id = %s"
    assert hotel.one(name, hotel.ours.tenant_id) == ("Hotel Bellavista",)
    for failing, error in ((fail, RuntimeError), (clash, Conflict)):
        with pytest.raises(error):
            await rename(service, hotel.ours, "Hotel Perdido", then=failing)
    assert hotel.one(name, hotel.ours.tenant_id) == ("Hotel Bellavista",)


async def test_cancelled_work_is_undone_and_its_connection_is_clean(hotel: Hotel, single: Database) -> None:
    """Cancelled after any wait of the transaction, by turns of the loop, in the middle of statements too."""

    async def sleep(session: WriteSession) -> None:
        await session.execute(text("select pg_sleep(30)"))

    for turns in range(40):
        task = asyncio.create_task(rename(single, hotel.ours, "Hotel Perdido", then=sleep))
        for _ in range(turns):
            await asyncio.sleep(0)
        if turns >= 30:
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await left_behind(single.hot) is None
        async with single.read(hotel.theirs) as session:
            assert await session.scalar(select(Tenant.id)) == hotel.theirs.tenant_id
    assert single.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert hotel.one("select name from tenants where id = %s", hotel.ours.tenant_id) == ("A",)
    open_ones = "select count(*) from pg_stat_activity where usename = 'test_service' and state like 'idle in%%'"
    assert hotel.one(open_ones + " and datname = current_database() and %s", True) == (0,)
    await single.close()


async def test_many_tenants_at_once_on_few_connections_see_their_own(hotel: Hotel, service: Database) -> None:
    async def look(scope: TenantScope) -> UUID | None:
        async with service.read(scope) as session:
            return await session.scalar(select(Tenant.id))

    scopes = [hotel.ours, hotel.theirs] * 50
    assert await asyncio.gather(*map(look, scopes)) == [scope.tenant_id for scope in scopes]
    nobody = TenantScope(uuid7(), "test", "request")
    assert await look(nobody) is None


async def test_no_connection_in_time_is_said_so(hotel: Hotel) -> None:
    updates = {"postgres_pool_size": 1, "postgres_max_overflow": 0, "postgres_pool_timeout": 1}
    database = Database(hotel.settings.model_copy(update=updates))
    async with database.read(hotel.ours):
        with pytest.raises(Unavailable, match="too busy"):
            async with database.read(hotel.theirs):
                pass
    await database.close()


async def test_no_server_is_said_so(hotel: Hotel) -> None:
    database = Database(hotel.settings.model_copy(update={"postgres_host": "127.0.0.1", "postgres_port": 1}))
    with pytest.raises(Unavailable, match="not available"):
        async with database.read(hotel.ours):
            pass
    await database.close()


async def test_a_statement_that_takes_too_long_is_ended(hotel: Hotel) -> None:
    database = Database(hotel.settings.model_copy(update={"postgres_statement_timeout": 0.2}))
    with pytest.raises(Unavailable, match="too long"):
        async with database.read(hotel.ours) as session:
            await session.execute(text("select pg_sleep(10)"))
    await database.close()


async def test_a_transaction_that_stands_idle_is_ended_and_the_next_one_runs(hotel: Hotel) -> None:
    database = Database(hotel.settings.model_copy(update={"postgres_idle_in_transaction_timeout": 0.2}))
    with pytest.raises(Unavailable, match="not available"):
        await rename(database, hotel.ours, "Hotel Perdido", then=dawdle)
    await rename(database, hotel.ours, "Hotel Bellavista")
    await database.close()


async def test_sessions_are_known_to_the_server_and_do_not_compile(service: Database, hotel: Hotel) -> None:
    async with service.read(hotel.ours) as session:
        names = ("application_name", "jit", "statement_timeout", "idle_in_transaction_session_timeout")
        found = [await session.scalar(select(func.current_setting(name))) for name in names]
    assert found == ["agente-hotelero", "off", "15s", "30s"]


async def test_work_on_all_tenants_needs_its_own_role(hotel: Hotel) -> None:
    database = Database(hotel.settings.model_copy(update={"postgres_admin_user": None}))
    with pytest.raises(Unavailable, match="POSTGRES_ADMIN_USER"):
        async with database.admin("operator", "request-1"):
            pass
    await database.close()
