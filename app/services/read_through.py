"""A cache in Redis that is read through: one refresher per key in all processes, stale answers when it fails."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Generic, Literal, TypeVar

import msgspec
from redis.asyncio import Redis

from app.core.errors import NotFound, Unavailable
from app.core.metrics import CacheMetrics, Lookup
from app.core.redis import Family, RedisClient, RedisUnavailableError

T = TypeVar("T")

LUA = Path(__file__).with_name("lua")
POLL_SECONDS = 0.02
SLOWEST_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePolicy:
    """How long what is kept; times in seconds."""

    fresh: float = 300.0
    """So long a value is served without asking."""
    grace: float = 900.0
    """So much longer it is kept, to be served as stale when there is no better."""
    jitter: float = 0.1
    """Fresh shorter by up to this share, so that what was read together is not refreshed together."""
    negative: float = 30.0
    """So long it is believed that there is no such thing."""
    lease: float = 10.0
    """A refresher that is not heard of for so long has died. Longer than a refresh may take."""
    wait: float = 2.0
    """The longest wait for another process's refresh; then one's own."""
    patience: float = 0.5
    """So long a refresh is waited for with a stale value in hand; it goes on without its caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached(Generic[T]):
    """A value, and how old it is in seconds; `stale` when the source could not be asked again in time."""

    value: T
    age: float
    stale: bool


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored, in JSON. `body` is null for what does not exist. The key's TTL tells the age."""

    version: Literal[1] = 1
    fresh_ms: int
    lifetime_ms: int
    body: msgspec.Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found(Generic[T]):
    """What Redis had; `value` is None for what does not exist."""

    value: T | None
    age: float
    fresh: bool

    def served(self) -> Cached[T]:
        if self.value is None:
            raise NotFound("there is no such thing")
        return Cached(value=self.value, age=self.age, stale=not self.fresh)


class ReadThrough(Generic[T]):
    """Caches answers of one type under the keys of one family.

    While Redis is away every caller's answer comes from the source, and callers of the same key share one.
    """

    def __init__(
        self,
        family: Family,
        answer: type[T],
        redis: RedisClient,
        metrics: CacheMetrics,
        policy: CachePolicy,
        *,
        random: Random | None = None,
    ) -> None:
        """`answer` is a type that msgspec encodes and decodes, of which None is no value."""
        self._family = family
        self._redis = redis
        self._metrics = metrics
        self._policy = policy
        self._random = random or Random()  # noqa: S311 - spreads refreshes, hides nothing
        self._entries = msgspec.json.Decoder(_Entry)
        self._bodies = msgspec.json.Decoder(answer | None)
        self._acquire = redis.script(LUA / "acquire_lease.lua")
        self._release = redis.script(LUA / "release_lease.lua")
        self._flights: dict[str, asyncio.Task[Cached[T]]] = {}
        self._refreshes: set[asyncio.Task[T]] = set()

    async def get(self, key: str, fetch: Callable[[], Awaitable[T]]) -> Cached[T]:
        """Give the value of a key, by `fetch` when it has to be.

        NotFound of `fetch` is remembered too. Its Unavailable is raised when there is not even a stale value.
        A caller that is cancelled leaves the others' shared call alone.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(key, fetch))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(flight)

    async def aclose(self) -> None:
        """Cancel what is under way."""
        under_way: list[asyncio.Task[Any]] = [*self._flights.values(), *self._refreshes]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _landed(self, key: str, flight: asyncio.Task[Cached[T]]) -> None:
        del self._flights[key]
        _forget_error(flight)

    async def _fly(self, key: str, fetch: Callable[[], Awaitable[T]]) -> Cached[T]:
        found, lookup = await self._look(key)
        self._metrics.count(self._family, lookup)
        if found and found.fresh:
            return found.served()
        secret = secrets.token_hex(8)
        patient_until = time.monotonic() + self._policy.wait
        pause = POLL_SECONDS
        while not await self._lease(key, secret):
            if found:
                return found.served()
            if time.monotonic() > patient_until:
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, SLOWEST_POLL_SECONDS)
            found, _ = await self._look(key)
        return await self._refreshed(key, secret, fetch)

    async def _refreshed(self, key: str, secret: str, fetch: Callable[[], Awaitable[T]]) -> Cached[T]:
        # Between the look and the lease another may have been faster.
        found, _ = await self._look(key)
        if found and found.fresh:
            await self._let_go(key, secret)
            return found.served()
        refresh = asyncio.create_task(self._fetch_and_store(key, secret, fetch))
        self._refreshes.add(refresh)
        refresh.add_done_callback(self._refreshes.discard)
        refresh.add_done_callback(_forget_error)
        stale = found if found and found.value is not None else None
        await asyncio.wait({refresh}, timeout=self._policy.patience if stale else None)
        if stale and (not refresh.done() or isinstance(refresh.exception(), Unavailable)):
            return stale.served()
        return Cached(value=refresh.result(), age=0.0, stale=False)

    async def _fetch_and_store(self, key: str, secret: str, fetch: Callable[[], Awaitable[T]]) -> T:
        try:
            value = await fetch()
            fresh = self._policy.fresh * self._random.uniform(1.0 - self._policy.jitter, 1.0)
            await self._store(key, value, fresh, fresh + self._policy.grace)
        except NotFound:
            await self._store(key, None, self._policy.negative, self._policy.negative)
            raise
        finally:
            await self._let_go(key, secret)
        return value

    async def _look(self, key: str) -> tuple[_Found[T] | None, Lookup]:
        try:
            stored, left_ms = await self._redis.run(lambda redis: _value_and_ttl(redis, key))
        except RedisUnavailableError:
            return None, Lookup.AWAY
        if stored is None or left_ms < 0:
            return None, Lookup.MISS
        try:
            entry = self._entries.decode(stored)
            value = self._bodies.decode(entry.body)
        except (msgspec.DecodeError, UnicodeDecodeError):  # another version's, or not ours at all
            return None, Lookup.CORRUPT
        age_ms = max(0, entry.lifetime_ms - left_ms)
        fresh = age_ms < entry.fresh_ms
        found = _Found(value=value, age=age_ms / 1000, fresh=fresh)
        return found, Lookup.HIT if fresh else Lookup.STALE

    async def _store(self, key: str, value: T | None, fresh: float, lifetime: float) -> None:
        lifetime_ms = _milliseconds(lifetime)
        entry = _Entry(
            fresh_ms=_milliseconds(fresh), lifetime_ms=lifetime_ms, body=msgspec.Raw(msgspec.json.encode(value))
        )
        stored = msgspec.json.encode(entry)
        await self._redis.run_or(None, lambda redis: redis.set(key, stored, px=lifetime_ms))

    async def _lease(self, key: str, secret: str) -> bool:
        """Whether it is ours to refresh the key; when Redis is away, it is."""
        arguments: list[str | float] = [secret, _milliseconds(self._policy.lease)]
        return bool(await self._redis.run_or(1, lambda _: self._acquire([_lease_key(key)], arguments)))

    async def _let_go(self, key: str, secret: str) -> None:
        await self._redis.run_or(0, lambda _: self._release([_lease_key(key)], [secret]))


async def _value_and_ttl(redis: Redis, key: str) -> tuple[bytes | None, int]:
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.execute_command("GET", key)
        pipeline.execute_command("PTTL", key)
        stored, left_ms = await pipeline.execute()
    return stored, left_ms


def _lease_key(key: str) -> str:
    return f"{Family.LOCK}:refresh:{key}"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _forget_error(task: asyncio.Task[Any]) -> None:
    """Read the error, so that asyncio does not complain of one that every waiter was cancelled before."""
    if not task.cancelled():
        task.exception()
