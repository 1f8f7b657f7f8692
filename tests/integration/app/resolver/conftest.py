"""Two hotels, a Redis, and resolvers that follow the changes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import event

from app.core.database import Database
from app.core.metrics import CacheMetrics
from app.core.redis import Keys, RedisClient, RedisSettings
from app.services.tenant_resolver import TenantResolver
from dbvitals.sandbox import RedisServer
from tests.integration.app.hotel import Hotel, open_hotel
from tests.integration.app.migrated import migrated_database  # noqa: F401 -- a fixture

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def hotel(database: str, connect: Callable[[str], Connection]) -> Hotel:
    return open_hotel(database, connect(database))


@pytest_asyncio.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[RedisClient]:
    client = RedisClient(RedisSettings(redis_url=SecretStr(redis_server.url)))
    await client.run(lambda redis: redis.flushdb())
    yield client
    await client.aclose()


async def entries(redis: RedisClient) -> dict[str, bytes]:
    """What Redis keeps, by key."""

    async def read(client: Redis) -> dict[str, bytes]:
        found = {
            str(name, "ascii"): await client.get(name) async for name in client.scan_iter() if isinstance(name, bytes)
        }
        return {name: value for name, value in found.items() if isinstance(value, bytes)}

    return await redis.run(read)


async def overwrite(redis: RedisClient, key: str, value: bytes) -> None:
    await redis.run(lambda client: client.set(key, value))


@dataclass
class Desk:
    """A resolver as one process has it, and what it asked the database."""

    resolver: TenantResolver
    registry: CollectorRegistry
    queries: list[str] = field(default_factory=list)

    def looked(self, outcome: str) -> float:
        labels = {"family": "tenant", "outcome": outcome}
        return self.registry.get_sample_value("redis_cache_requests_total", labels) or 0

    async def is_live(self) -> None:
        async with asyncio.timeout(10):
            while not self.resolver.live:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(hotel: Hotel, redis: RedisClient) -> AsyncIterator[Desk]:
    database, registry = Database(hotel.settings), CollectorRegistry()
    resolver = TenantResolver(database.hot, redis, Keys(SecretStr("pepper")), CacheMetrics(registry))
    desk = Desk(resolver, registry)

    def note(*arguments: object) -> None:
        desk.queries.append(str(arguments[2]))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    following = asyncio.create_task(resolver.follow_changes(database.engine))
    try:
        await desk.is_live()
        yield desk
    finally:
        following.cancel()
        await asyncio.wait([following])
        await database.close()
        assert following.cancelled()


@pytest_asyncio.fixture
async def open_desk(hotel: Hotel, redis: RedisClient) -> AsyncIterator[Callable[[], Awaitable[Desk]]]:
    """A function that opens another resolver on the same servers; it is closed with the test."""
    async with AsyncExitStack() as stack:

        async def make() -> Desk:
            return await stack.enter_async_context(opened(hotel, redis))

        yield make


@pytest_asyncio.fixture
async def desk(open_desk: Callable[[], Awaitable[Desk]]) -> Desk:
    return await open_desk()
