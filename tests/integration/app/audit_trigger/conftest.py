"""Two hotels with a guest each, and the service's database as its login sees it."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from app.core.database import Database
from tests.integration.app.hotel import Hotel, Owner, open_hotel
from tests.integration.app.migrated import migrated_database  # noqa: F401 -- a fixture


@pytest.fixture
def hotel(database: str, connect: Callable[[str], Owner]) -> Hotel:
    return open_hotel(database, connect(database))


@pytest_asyncio.fixture
async def service(hotel: Hotel) -> AsyncIterator[Database]:
    made = Database(hotel.settings)
    yield made
    await made.close()
