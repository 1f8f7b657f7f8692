"""Leases over Redis: for work that two may do at once at no harm but the time, such as refilling a cache.

A failover or a full memory can give such a lease to two holders, and there is no token that would stop the first.
So it is a type of its own: what needs a `Lease` does not take one.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from redis.commands.core import AsyncScript

from app.core.redis import Family, Keys, RedisClient

LUA = Path(__file__).with_name("lua")


@dataclass(frozen=True, slots=True, kw_only=True)
class EfficiencyLease:
    """The right to go first at some work, while the key is there and holds the secret."""

    key: str
    secret: str


class EfficiencyLeases:
    """Acquires, extends and releases `lock:*` keys. The time they last is Redis's to measure."""

    def __init__(self, redis: RedisClient, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._acquire = redis.script(LUA / "acquire_lease.lua")
        self._extend = redis.script(LUA / "extend_lease.lua")
        self._release = redis.script(LUA / "release_lease.lua")

    async def acquire(self, tenant_id: UUID, work: str, ttl: timedelta) -> EfficiencyLease | None:
        """Take a lease on some work of a tenant, or give None while another has it.

        Raises RedisUnavailableError: whether to work without a lease is the caller's to decide.
        """
        key = self._keys.make(Family.LOCK, tenant_id, private=(work,))
        lease = EfficiencyLease(key=key, secret=secrets.token_hex(16))
        return lease if await self._run(self._acquire, lease, _milliseconds(ttl)) else None

    async def extend(self, lease: EfficiencyLease, ttl: timedelta) -> bool:
        """Let a lease end `ttl` from now; false when it is not the holder's any more. Raises as `acquire` does."""
        return await self._run(self._extend, lease, _milliseconds(ttl))

    async def release(self, lease: EfficiencyLease) -> bool:
        """Give a lease back; false when it was not the holder's any more. Raises as `acquire` does."""
        return await self._run(self._release, lease)

    async def _run(self, script: AsyncScript, lease: EfficiencyLease, *more: int) -> bool:
        return bool(await self._redis.run(lambda redis: script([lease.key], [lease.secret, *more], redis)))


def _milliseconds(ttl: timedelta) -> int:
    whole = ttl // timedelta(milliseconds=1)
    if whole <= 0:
        raise ValueError(f"a lease must last for a millisecond at least, not {ttl}")
    return whole
