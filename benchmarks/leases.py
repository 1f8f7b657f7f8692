"""Pairs of acquire and release a second: the lease table, advisory locks, and leases over Redis.

The lease table's commits wait for the disk, as those of a real server do; an advisory lock and a key in Redis are
gone with their server. With one task, and with sixteen that each have a resource of their own.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import psycopg
import uvloop
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from redis.asyncio import Redis
from sqlalchemy import func, select

from app.core.database import Database
from app.core.redis import Keys, RedisClient, RedisSettings
from app.core.settings import Settings
from app.core.tenancy import TenantScope
from app.db.migrate import upgrade
from app.services.leases import Leases
from app.services.redis_lease import EfficiencyLeases
from benchmarks.report import show
from dbvitals.sandbox import PostgresServer, find_all_postgres, start_postgres, start_redis

DURABLE = {"fsync": "on", "synchronous_commit": "on"}
TTL = timedelta(seconds=10)
ROUNDS = 3  # each takes its turn in every round: what slows the machine slows all alike

Pair = Callable[[int], Awaitable[None]]
"""Acquires and releases the resource of this number."""


def run(*, full: bool) -> None:
    """Measure on every PostgreSQL of the machine."""
    rows: list[dict[str, object]] = []
    with start_redis() as redis:
        for binaries in find_all_postgres():
            with start_postgres(binaries, settings=DURABLE) as server:
                rows += uvloop.run(_measure(server, redis.url, seconds=3.0 if full else 0.7))
    show("leases", "Acquire and release: pairs a second, best of 3 rounds", rows)


async def _measure(server: PostgresServer, redis_url: str, seconds: float) -> list[dict[str, object]]:
    database = Database(_settings(server))
    client = RedisClient(RedisSettings(redis_url=SecretStr(redis_url)))
    plain = Redis.from_url(redis_url)
    pairs = {
        "lease table": _lease_table(database, _tenant(server)),
        "advisory": _advisory(database),
        "SET NX + Lua": _efficiency(client),
        "redis-py Lock": _redis_py(plain),
    }
    rows = []
    for tasks in (1, 16):
        best = dict.fromkeys(pairs, 0.0)
        for _ in range(ROUNDS):
            for name, pair in pairs.items():
                best[name] = max(best[name], await _rate(pair, tasks, seconds))
        ratios: dict[str, object] = {f"to {name}": best["lease table"] / best[name] for name in list(pairs)[1:]}
        rows.append({"PostgreSQL": server.major, "tasks": tasks, **best, **ratios})
    await database.close()
    await client.aclose()
    await plain.aclose()
    return rows


def _settings(server: PostgresServer) -> Settings:
    upgrade(server.dsn())
    with psycopg.connect(server.dsn(), autocommit=True) as owner:
        owner.execute("CREATE ROLE bench_service LOGIN IN ROLE hotel_service")
    parts = conninfo_to_dict(server.dsn())
    return Settings(
        postgres_host=str(parts["host"]),
        postgres_port=int(str(parts["port"])),
        postgres_db=str(parts["dbname"]),
        postgres_user="bench_service",
        postgres_sslmode="disable",
    )


def _tenant(server: PostgresServer) -> TenantScope:
    with psycopg.connect(server.dsn(), autocommit=True) as owner:
        row = owner.execute("INSERT INTO tenants (name) VALUES ('Hotel Miramar') RETURNING id").fetchone()
    assert row is not None
    return TenantScope(row[0], "bench", "bench")


def _lease_table(database: Database, scope: TenantScope) -> Pair:
    leases = Leases(database, "bench")

    async def pair(number: int) -> None:
        lease = await leases.acquire(scope, f"room:{number}", TTL)
        assert lease is not None
        assert await leases.release(scope, lease)

    return pair


def _advisory(database: Database) -> Pair:
    async def pair(number: int) -> None:
        async with database.hot.connect() as connection:
            assert await connection.scalar(select(func.pg_try_advisory_lock(number)))
            assert await connection.scalar(select(func.pg_advisory_unlock(number)))

    return pair


def _efficiency(client: RedisClient) -> Pair:
    leases, tenant = EfficiencyLeases(client, Keys(SecretStr("pepper"))), UUID(int=1)

    async def pair(number: int) -> None:
        lease = await leases.acquire(tenant, f"work {number}", TTL)
        assert lease is not None
        assert await leases.release(lease)

    return pair


def _redis_py(redis: Redis) -> Pair:
    async def pair(number: int) -> None:
        async with redis.lock(f"plain:{number}", timeout=TTL.total_seconds()):
            pass

    return pair


async def _rate(pair: Pair, tasks: int, seconds: float) -> float:
    done, end = 0, 0.0

    async def work(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await pair(number)
            done += 1

    await asyncio.gather(*map(pair, range(tasks)))  # connections and plans
    started = time.perf_counter()
    end = started + seconds
    await asyncio.gather(*map(work, range(tasks)))
    return done / (time.perf_counter() - started)
