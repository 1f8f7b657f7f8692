"""The budget of connections on real servers: read with the service's own rights, warned of or refused."""

import logging

import pytest

from app.core.database import Database
from app.core.settings import Settings
from app.db.pool_budget import PoolBudgetExceeded, check_pool_budget
from tests.integration.app.hotel import Hotel

pytestmark = pytest.mark.asyncio


async def check(settings: Settings) -> None:
    database = Database(settings)
    try:
        await check_pool_budget(database, settings)
    finally:
        await database.close()


async def test_too_many_connections_are_warned_of_or_refused(hotel: Hotel, caplog: pytest.LogCaptureFixture) -> None:
    server = hotel.one("select current_setting('max_connections')::int")[0]
    assert isinstance(server, int)
    # Three are the superuser's by default; two more pools are the admin's.
    fitting = {"postgres_processes": 1, "postgres_max_overflow": server - 3 - 2 - 10}
    with caplog.at_level(logging.WARNING):
        await check(hotel.settings.model_copy(update=fitting))
    assert caplog.messages == []
    exceeding = hotel.settings.model_copy(update=fitting | {"postgres_max_overflow": server - 3 - 2 - 9})
    with caplog.at_level(logging.WARNING):
        await check(exceeding)
    assert len(caplog.messages) == 1
    assert f"can open {server - 2} connections, more than the {server - 3} of the server" in caplog.messages[0]
    with pytest.raises(PoolBudgetExceeded, match="of the server"):
        await check(exceeding.model_copy(update={"postgres_pool_strict": True}))


@pytest.mark.parametrize(
    ("limited", "whose"),
    [
        ("database {database} with connection limit 5", "database"),
        ("role test_service with connection limit 5", "service's role"),
        ("role test_admin with connection limit 1", "admin's role"),
    ],
)
async def test_limits_of_database_and_roles_count(hotel: Hotel, limited: str, whose: str) -> None:
    strict = {"postgres_pool_strict": True, "postgres_pool_size": 6, "postgres_max_overflow": 0}
    settings = hotel.settings.model_copy(update=strict)
    await check(settings)
    statement = f"alter {limited.format(database=settings.postgres_db)}"
    hotel.owner.execute(statement.encode())
    try:
        with pytest.raises(PoolBudgetExceeded, match=whose):
            await check(settings)
        await check(settings.model_copy(update={"postgres_pgbouncer": True}))
    finally:
        hotel.owner.execute(f"{statement.rsplit(' ', 1)[0]} -1".encode())
