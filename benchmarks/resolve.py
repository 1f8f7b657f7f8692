"""What it takes to resolve an identifier at each level, against the plainest way to ask the same server.

Memory: the whole call. Redis: against GET of the same keys by redis-py. PostgreSQL: against the same probe of the
index by asyncpg's pool, as the tables' owner. Each pair takes turns, one call at a time. A shared machine is faster in
one second than in the next: times are those of the quietest turn, and a ratio is the median of the ratios of turns that
followed each other.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import asyncpg
import psycopg
import uvloop
from prometheus_client import CollectorRegistry
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from redis.asyncio import Redis

from app.core.database import Database
from app.core.metrics import CacheMetrics
from app.core.redis import Keys, RedisClient, RedisSettings
from app.core.settings import Settings
from app.db.identifiers import Found
from app.db.migrate import upgrade
from app.services.tenant_cache import TenantCache
from app.services.tenant_resolver import TenantResolver
from benchmarks.report import show
from dbvitals.sandbox import PostgresServer, find_all_postgres, start_postgres, start_redis

IDENTIFIERS = 20_000
GUESTS = 500  # who write now
TURNS = 50
PLAIN = (
    "SELECT tenant_id FROM tenant_user_identifiers"
    " WHERE identifier_value = $1 AND platform = 'phone' AND deleted_at IS NULL"
)
FILL = (
    "INSERT INTO tenant_user_identifiers (tenant_id, user_id, platform, identifier_value)"
    " SELECT id, uuid7(), 'phone', '+34' || 600000000 + n FROM tenants, generate_series(1, %s) AS n"
)

Ask = Callable[[str], Awaitable[object]]


class NoMemory(TenantCache):
    """Keeps nothing, so that every call goes to the next level."""

    def put(self, fingerprint: bytes, found: Found) -> None:
        """Forget it at once."""


def run(*, full: bool) -> None:
    """Measure on every PostgreSQL of the machine."""
    rows = []
    with start_redis() as redis:
        for binaries in find_all_postgres():
            with start_postgres(binaries) as server:
                rows.append(uvloop.run(_measure(server, redis.url, calls=400 if full else 100)))
    show("resolve", "Resolving an identifier, microseconds a call (median of the quietest turn)", rows)


async def _measure(server: PostgresServer, redis_url: str, calls: int) -> dict[str, object]:
    database = Database(_settings(server))
    client = RedisClient(RedisSettings(redis_url=SecretStr(redis_url)))
    plain = Redis.from_url(redis_url)
    pool = await asyncpg.create_pool(server.dsn(), min_size=1, max_size=10)
    phones = [f"+34{600_000_000 + number}" for number in random.Random(1).sample(range(1, IDENTIFIERS), GUESTS)]

    def make(cache: TenantCache) -> TenantResolver:
        return TenantResolver(database.hot, client, Keys(SecretStr("pepper")), CacheMetrics(CollectorRegistry()), cache)

    warm, from_redis, from_postgres = make(TenantCache()), make(NoMemory()), make(NoMemory())
    following = [asyncio.create_task(one.follow_changes(database.engine)) for one in (warm, from_redis)]
    while not (warm.live and from_redis.live):
        await asyncio.sleep(0.01)
    for phone in phones:
        assert isinstance(await warm.resolve(phone, "phone"), UUID)
    names = [from_redis._key(key) for key in warm._cache._known]  # noqa: SLF001 -- to read the same keys
    memory = await _turns(calls, (phones, _asking(warm)))
    redis_turns = await _turns(calls, (phones, _asking(from_redis)), (names, plain.get))
    postgres_turns = await _turns(
        calls, (phones, _asking(from_postgres)), (phones, lambda phone: pool.fetchval(PLAIN, phone))
    )
    for task in following:
        task.cancel()
    await asyncio.wait(following)
    await pool.close()
    await plain.aclose()
    await client.aclose()
    await database.close()
    return {
        "PostgreSQL": server.major,
        "memory": _quietest(memory)[0],
        **dict(zip(("Redis", "GET"), _quietest(redis_turns), strict=True)),
        "Redis / GET": _ratio(redis_turns),
        **dict(zip(("database", "fetchval"), _quietest(postgres_turns), strict=True)),
        "database / fetchval": _ratio(postgres_turns),
    }


def _asking(resolver: TenantResolver) -> Ask:
    return lambda phone: resolver.resolve(phone, "phone")


async def _turns(calls: int, *sides: tuple[Sequence[str], Ask]) -> list[list[float]]:
    """Let the sides take turns, each of so many calls; for each turn the median of each side, in microseconds."""
    chance = random.Random(2)
    found = []
    for _ in range(TURNS):
        turn = []
        for names, ask in sides:
            took = [await _time(ask, name) for name in chance.choices(names, k=calls)]
            turn.append(statistics.median(took) * 1e6)
        found.append(turn)
    return found


def _quietest(turns: list[list[float]]) -> list[float]:
    return [min(side) for side in zip(*turns, strict=True)]


def _ratio(turns: list[list[float]]) -> float:
    return statistics.median(ours / plain for ours, plain in turns)


async def _time(ask: Ask, name: str) -> float:
    started = time.perf_counter()
    answer = await ask(name)
    took = time.perf_counter() - started
    assert answer is not None
    return took


def _settings(server: PostgresServer) -> Settings:
    upgrade(server.dsn())
    with psycopg.connect(server.dsn(), autocommit=True) as owner:
        owner.execute("CREATE ROLE bench_service LOGIN IN ROLE hotel_service")
        owner.execute("INSERT INTO tenants (name) VALUES ('Hotel Miramar')")
        owner.execute("SET session_replication_role = replica")
        owner.execute(FILL, [IDENTIFIERS])
        owner.execute("VACUUM ANALYZE tenant_user_identifiers")
    parts = conninfo_to_dict(server.dsn())
    return Settings(
        postgres_host=str(parts["host"]),
        postgres_port=int(str(parts["port"])),
        postgres_db=str(parts["dbname"]),
        postgres_user="bench_service",
        postgres_sslmode="disable",
    )
