"""Two hotels, and the service's database as its login sees it."""

from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
import pytest_asyncio

from app.core.database import Database
from app.services.leases import Leases
from tests.integration.app.hotel import Hotel, open_hotel
from tests.integration.app.migrated import migrated_database  # noqa: F401 -- a fixture

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def hotel(database: str, connect: Callable[[str], Connection]) -> Hotel:
    return open_hotel(database, connect(database))


@pytest_asyncio.fixture
async def service(hotel: Hotel) -> AsyncIterator[Database]:
    made = Database(hotel.settings)
    yield made
    await made.close()


@pytest.fixture
def leases(service: Database) -> Leases:
    return Leases(service, "desk-1")
