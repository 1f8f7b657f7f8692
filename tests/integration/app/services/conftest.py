"""Two hotels, an empty Redis, the sandbox PMS, and the services in front of them."""

import gc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
import redis

from dbvitals.sandbox import RedisServer
from tests.integration.app.hotel import Hotel, open_hotel
from tests.integration.app.migrated import migrated_database  # noqa: F401 -- a fixture
from tests.integration.app.resilience.ground import Pms, running_pms
from tests.integration.app.services.front import PHONE, Front, front, set_up_pms

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """A connection that a test leaves open is an error of that test, not of a later one."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def pms_server() -> Iterator[Pms]:
    with running_pms() as pms:
        yield pms


@pytest.fixture
def pms(pms_server: Pms) -> Iterator[Pms]:
    """The PMS without faults, its counts at nought."""
    pms_server.dial()
    yield pms_server
    pms_server.dial()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of a Redis that holds no keys."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def hotel(database: str, connect: Callable[[str], Connection]) -> Hotel:
    """Two hotels; a guest of the first one is known by PHONE, and the PMS knows that hotel."""
    made = open_hotel(database, connect(database))
    set_up_pms(made)
    made.add_identifier(made.ours, PHONE)
    return made


@pytest_asyncio.fixture
async def desk(hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path) -> AsyncIterator[Front]:
    async with front(hotel, redis_url, pms.url, tmp_path / "spool") as made:
        yield made
