"""Leases over PostgreSQL: for work where two holders at once would do harm."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from app.core.database import Database
from app.core.errors import Conflict
from app.core.tenancy import TenantScope
from app.db import leases
from app.db.leases import Lease

# How long a waiting caller pauses between two tries: at first, and at most. Half to one and a half times that, at
# random, so that those who began to wait together do not try together.
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 0.25
# Rows that one transaction of the cleaner locks.
CLEANED_AT_ONCE = 500


class LeaseLost(Conflict):
    """The lease has ended, or is another's by now."""


class LeaseHeld(Conflict):
    """Another held the lease for as long as this caller would wait."""


class Leases:
    """Acquires, renews and releases leases; each call is a transaction of its own, and is done when it returns.

    `owner` says who holds them, for people to read (host, process): two holders may have the same one, since
    what tells leases apart is the token. A holder whose process dies loses the lease when it ends.
    """

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner

    async def acquire(self, scope: TenantScope, resource: str, ttl: timedelta) -> Lease | None:
        """Take a lease for `ttl` by the server's clock, or give None while another's is alive."""
        _check_ttl(ttl)
        async with self._database.unit_of_work(scope) as session:
            return await leases.acquire(session, scope.tenant_id, resource, self._owner, ttl)

    async def wait(self, scope: TenantScope, resource: str, ttl: timedelta, timeout: timedelta) -> Lease:
        """Take a lease, trying again until `timeout`. Raises LeaseHeld when another still has it then."""
        clock = asyncio.get_running_loop().time
        end = clock() + timeout.total_seconds()
        pause = FIRST_PAUSE
        while True:
            lease = await self.acquire(scope, resource, ttl)
            if lease is not None:
                return lease
            left = end - clock()
            if left <= 0:
                raise LeaseHeld("another is working on the same thing; try again in a moment")
            await asyncio.sleep(min(pause * random.uniform(0.5, 1.5), left))  # noqa: S311 -- jitter, no secret
            pause = min(2 * pause, LONGEST_PAUSE)

    async def renew(self, scope: TenantScope, lease: Lease, ttl: timedelta) -> Lease:
        """Let a lease end `ttl` from now. Raises LeaseLost when it has ended already or is another's."""
        _check_ttl(ttl)
        async with self._database.unit_of_work(scope) as session:
            renewed = await leases.renew(session, lease, ttl)
        if renewed is None:
            raise LeaseLost("the lease has ended before it was renewed; begin again")
        return renewed

    async def release(self, scope: TenantScope, lease: Lease) -> bool:
        """Give a lease back. False, and nothing is changed, when it was not the holder's any more."""
        async with self._database.unit_of_work(scope) as session:
            return await leases.release(session, lease)

    @asynccontextmanager
    async def hold(self, scope: TenantScope, resource: str, ttl: timedelta, timeout: timedelta) -> AsyncIterator[Lease]:
        """Wait for a lease as `wait` does, and give it back at the end of the block."""
        lease = await self.wait(scope, resource, ttl, timeout)
        try:
            yield lease
        finally:
            await self.release(scope, lease)


async def clean_leases(database: Database, actor: str, request_id: str) -> int:
    """Mark every tenant's leases as ended that ran out and were never given back; how many there were.

    Nobody waits for it: an expired lease can be taken as it is. It keeps idx_locks_acquired_at, which holds
    what is not given back, as small as what is in use.
    """
    total = 0
    while True:
        async with database.admin(actor, request_id) as session:
            cleaned = await leases.clean(session, CLEANED_AT_ONCE)
        total += cleaned
        if cleaned < CLEANED_AT_ONCE:
            return total


def _check_ttl(ttl: timedelta) -> None:
    if ttl <= timedelta(0):
        raise ValueError(f"a lease must last for some time, not {ttl}")
