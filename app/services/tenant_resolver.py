"""Tells which tenant a guest's message belongs to: from memory, else from Redis, else from one indexed read."""

import asyncio
from functools import partial
from typing import NoReturn
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.errors import AppError
from app.core.identifiers import fingerprint, normalise
from app.core.metrics import CacheMetrics, Lookup
from app.core.redis import Family, Keys, RedisClient, RedisUnavailableError
from app.db.identifier_changes import listen
from app.db.identifiers import Found, find_tenant
from app.services.tenant_cache import Freshness, TenantCache

# How long Redis keeps an answer; what changes is deleted from it at once, and not believed if it is found there still.
REDIS_SECONDS = 300
UNKNOWN_REDIS_SECONDS = 30
NOBODY = "nobody"
# Keys deleted in one command.
DELETED_AT_ONCE = 500


class TenantResolver:
    """Resolves identifiers. Without `follow_changes` running, or while that has no connection, caches are not used.

    No guest's identifier is in a key: it is the keyed hash of a hash.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        redis: RedisClient,
        keys: Keys,
        metrics: CacheMetrics,
        cache: TenantCache | None = None,
    ) -> None:
        """`engine` is for single reads, without transactions (`Database.hot`)."""
        self._engine = engine
        self._redis = redis
        self._keys = keys
        self._metrics = metrics
        self._cache = cache or TenantCache()
        self._freshness = Freshness()
        self._flights: dict[bytes, asyncio.Future[Found]] = {}
        self._changed: set[bytes] = set()
        self._some_changed = asyncio.Event()

    @property
    def live(self) -> bool:
        """Whether changes are heard, and caches used."""
        return self._freshness.live

    async def resolve(self, value: str, platform: str) -> UUID | None:
        """Give the tenant that the identifier belongs to, or None.

        Raises InvalidIdentifier for what cannot be one, Unavailable when no cache knows it and the database is away.
        """
        normal = normalise(value, platform)
        key = fingerprint(normal, platform)
        found = self._cache.get(key) or await self._join(key, normal, platform)
        return found.tenant_id

    async def follow_changes(self, engine: AsyncEngine) -> NoReturn:
        """Listen for changed identifiers until cancelled; `engine` must lead to PostgreSQL without PgBouncer."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._delete_changed())
            await listen(engine, self)

    def connected(self, begin: int) -> None:
        """Use the caches from now on; changes of transactions numbered below `begin` were not heard."""
        self._forget_all()
        self._freshness.connected(begin)

    def disconnected(self) -> None:
        """Use no cache until connected again."""
        self._freshness.disconnected()
        self._forget_all()

    def changed(self, fingerprint: bytes, transaction: int) -> None:
        """Forget an identifier, also what is being read of it just now."""
        self._freshness.changed(fingerprint, transaction)
        self._cache.drop(fingerprint)
        self._flights.pop(fingerprint, None)
        self._changed.add(fingerprint)
        self._some_changed.set()

    def _forget_all(self) -> None:
        self._cache.clear()
        self._flights.clear()

    async def _join(self, key: bytes, normal: str, platform: str) -> Found:
        """Wait for the one who reads it already, or be that one. Should he be cancelled, one who waited goes on."""
        while (flight := self._flights.get(key)) is not None:
            await asyncio.wait([flight])
            if not flight.cancelled():
                return flight.result()
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        try:
            found = await self._look_up(key, normal, platform)
            flight.set_result(found)
        except AppError as error:
            flight.set_exception(error)
            flight.exception()  # nobody may have waited for it
            raise
        finally:
            flight.cancel()  # without effect once it has an outcome
            if self._flights.get(key) is flight:
                del self._flights[key]
        return found

    async def _look_up(self, key: bytes, normal: str, platform: str) -> Found:
        found = await self._from_redis(key) if self.live else None
        if found is None:
            found = await find_tenant(self._engine, normal, platform)
            if self._freshness.accepts(key, found.seen):
                await self._to_redis(key, found)
        if self._freshness.accepts(key, found.seen):
            self._cache.put(key, found)
        return found

    async def _from_redis(self, key: bytes) -> Found | None:
        found, outcome = await self._ask_redis(key)
        self._metrics.count(Family.TENANT, outcome)
        return found

    async def _ask_redis(self, key: bytes) -> tuple[Found | None, Lookup]:
        try:
            kept = await self._redis.run(lambda redis: redis.get(self._key(key)))
        except RedisUnavailableError:
            return None, Lookup.AWAY
        if kept is None:
            return None, Lookup.MISS
        found = _read(kept)
        if found is None:
            return None, Lookup.CORRUPT
        return (found, Lookup.HIT) if self._freshness.accepts(key, found.seen) else (None, Lookup.MISS)

    async def _to_redis(self, key: bytes, found: Found) -> None:
        seconds = UNKNOWN_REDIS_SECONDS if found.tenant_id is None else REDIS_SECONDS
        await self._redis.run_or(None, lambda redis: redis.set(self._key(key), _written(found), ex=seconds))

    async def _delete_changed(self) -> None:
        following = asyncio.current_task()
        # Asked for each time: on Python 3.11 redis-py's wait_for loses a cancellation that comes with an answer.
        while following is not None and not following.cancelling():
            await self._some_changed.wait()
            self._some_changed.clear()
            while self._changed:
                some = [self._key(self._changed.pop()) for _ in range(min(len(self._changed), DELETED_AT_ONCE))]
                await self._redis.run_or(0, partial(_unlink, some))

    def _key(self, key: bytes) -> str:
        return self._keys.make(Family.TENANT, private=(key.hex(),))


async def _unlink(names: list[str], redis: Redis) -> int:
    return await redis.unlink(*names)


def _written(found: Found) -> str:
    return f"{found.seen}:{found.tenant_id or NOBODY}"


def _read(kept: bytes | str) -> Found | None:
    """Read what `_written` wrote; None for anything else."""
    text = kept if isinstance(kept, str) else kept.decode(errors="replace")
    seen, _, tenant = text.partition(":")
    try:
        return Found(None if tenant == NOBODY else UUID(tenant), int(seen))
    except ValueError:
        return None
