"""The service in this process, with two hotels of which each has a guest."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import redis
import structlog

from app.core.logging import without_values
from dbvitals.sandbox import RedisServer
from tests.integration.app.api.ground import GUEST, House, furnish, program_of, running, settings_of
from tests.integration.app.hotel import Hotel, Owner, open_hotel
from tests.integration.app.migrated import migrated_database  # noqa: F401 -- a fixture
from tests.integration.app.resilience.conftest import pms, pms_server  # noqa: F401
from tests.integration.app.resilience.ground import Pms


@pytest.fixture(autouse=True)
def short_log() -> Iterator[None]:
    """As the service logs; structlog's own way of showing an error takes seconds."""
    structlog.configure(processors=[without_values, structlog.processors.JSONRenderer()])
    yield
    structlog.reset_defaults()


@pytest.fixture
def hotel(database: str, connect: Callable[[str], Owner]) -> Hotel:
    return open_hotel(database, connect(database))


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of a Redis that holds no keys."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest_asyncio.fixture
async def house(hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path) -> AsyncIterator[House]:  # noqa: F811
    async with running(settings_of(hotel, redis_url, pms.url, tmp_path)) as (application, http):
        await furnish(http, hotel.ours, GUEST["identifier"])
        await furnish(http, hotel.theirs, "+34 699 999 999")
        ours, theirs = await program_of(http, hotel.ours), await program_of(http, hotel.theirs)
        yield House(hotel=hotel, application=application, http=http, ours=ours, theirs=theirs)
