"""The lease table: what a lease is, and the statements that acquire, renew, release and clean up."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import CursorResult, text

from app.core.database import AdminSession, WriteSession
from app.db.ddl import read_sql

ACQUIRE = text(read_sql("acquire_lease.sql"))
RENEW = text(read_sql("renew_lease.sql"))
RELEASE = text(read_sql("release_lease.sql"))
CLEAN = text(read_sql("clean_leases.sql"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to a resource until `expires_at`, by the server's clock: never compare that with one's own.

    `token` is greater than that of every earlier lease on the resource. What is written under the lease
    carries it, and the place where it is written refuses a smaller one: only that stops a holder who slept
    past the end.
    """

    tenant_id: UUID
    resource: str
    owner: str
    token: int
    expires_at: datetime


async def acquire(session: WriteSession, tenant_id: UUID, resource: str, owner: str, ttl: timedelta) -> Lease | None:
    """Take a lease, or give None while another's is alive. It counts once the transaction is committed."""
    values = {"tenant_id": tenant_id, "resource": resource, "owner": owner, "ttl": ttl}
    row = (await session.execute(ACQUIRE, values)).one_or_none()
    if row is None:
        return None
    return Lease(tenant_id=tenant_id, resource=resource, owner=owner, token=row[0], expires_at=row[1])


async def renew(session: WriteSession, lease: Lease, ttl: timedelta) -> Lease | None:
    """Let a lease end `ttl` from now, or give None when it has ended or is another's."""
    row = (await session.execute(RENEW, {**_key(lease), "ttl": ttl})).one_or_none()
    return None if row is None else replace(lease, expires_at=row[0])


async def release(session: WriteSession, lease: Lease) -> bool:
    """Give a lease back; false when it was not the holder's any more."""
    return (await session.execute(RELEASE, _key(lease))).one_or_none() is not None


async def clean(session: AdminSession, batch: int) -> int:
    """Mark up to `batch` leases of all tenants as ended that ran out; how many there were."""
    result = cast("CursorResult[object]", await session.execute(CLEAN, {"batch": batch}))
    return result.rowcount


def _key(lease: Lease) -> dict[str, object]:
    return {
        "tenant_id": lease.tenant_id,
        "resource": lease.resource,
        "owner": lease.owner,
        "token": lease.token,
    }
