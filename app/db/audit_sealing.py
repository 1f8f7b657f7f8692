"""Rows and seals of the audit trail, as the sealer reads and writes them, over all tenants."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import Text, cast, func, select, text
from sqlalchemy.orm import undefer

from app.core.database import AdminSession
from app.db.audit_tables import AuditDay, AuditSeal
from app.db.ddl import read_sql
from app.db.tables import AuditLog, Tenant

DAYS = text(read_sql("days_to_seal.sql"))
MISCOUNTED = text(read_sql("miscounted_days.sql"))
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('audit_seal', 0))")
# What a seal covers: every column but none that does not exist yet. A column that is added to the trail needs a
# second list beside this one, for the seals from then on.
SEALED = (
    AuditLog.tenant_id,
    AuditLog.id,
    AuditLog.timestamp,
    AuditLog.event_type,
    AuditLog.severity,
    AuditLog.user_id,
    AuditLog.resource,
    AuditLog.request_id,
    cast(AuditLog.details, Text),
    AuditLog.created_at,
    AuditLog.updated_at,
    AuditLog.deleted_at,
    AuditLog.arrival,
)
ROWS_AT_ONCE = 1000

Values = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of a tenant's day that arrived from one number on (included) to another (not included)."""

    tenant_id: UUID
    day: date
    arrived_from: int
    arrived_to: int


@dataclass(frozen=True, slots=True)
class Miscount:
    """A day of which other rows are there than were counted."""

    day: date
    counted: int
    found: int


async def try_lock(session: AdminSession) -> bool:
    """Be the one that seals, until the transaction ends."""
    return bool(await session.scalar(TRY_LOCK))


async def days_to_seal(session: AdminSession, arrived_to: int) -> list[Stretch]:
    """What is over, counted, and under no seal; a day with a seal already has only what came late."""
    rows = (await session.execute(DAYS)).all()
    return [Stretch(row.tenant_id, row.day, row.arrived_from, arrived_to) for row in rows]


async def rows_of(session: AdminSession, stretch: Stretch) -> AsyncIterator[Values]:
    """The sealed columns of each row, oldest first."""
    begin = datetime.combine(stretch.day, time(), UTC)
    statement = (
        select(*SEALED)
        .where(
            AuditLog.tenant_id == stretch.tenant_id,
            AuditLog.timestamp >= begin,
            AuditLog.timestamp < begin + timedelta(days=1),
            AuditLog.arrival >= stretch.arrived_from,
            AuditLog.arrival < stretch.arrived_to,
        )
        .order_by(AuditLog.timestamp, AuditLog.id)
    )
    rows = await session.stream(statement.execution_options(yield_per=ROWS_AT_ONCE))
    try:
        async for row in rows:
            yield tuple(row)
    finally:
        await rows.close()


async def last_seal(session: AdminSession, tenant_id: UUID) -> AuditSeal | None:
    """The newest seal of a tenant."""
    statement = select(AuditSeal).where(AuditSeal.tenant_id == tenant_id).order_by(AuditSeal.number.desc()).limit(1)
    found: AuditSeal | None = await session.scalar(statement)
    return found


async def tenants_of_trail(session: AdminSession) -> Sequence[UUID]:
    """All tenants, deleted or not."""
    return (await session.scalars(select(Tenant.id).order_by(Tenant.id))).all()


async def seal_numbers(session: AdminSession, tenant_id: UUID) -> Sequence[int]:
    """The numbers of a tenant's seals, in order."""
    statement = select(AuditSeal.number).where(AuditSeal.tenant_id == tenant_id).order_by(AuditSeal.number)
    return (await session.scalars(statement)).all()


async def seal_with_leaves(session: AdminSession, tenant_id: UUID, number: int) -> AuditSeal:
    """One seal, its rows' digests included."""
    statement = select(AuditSeal).where(AuditSeal.tenant_id == tenant_id, AuditSeal.number == number)
    return (await session.scalars(statement.options(undefer(AuditSeal.leaves)))).one()


async def miscounted_days(session: AdminSession, tenant_id: UUID) -> list[Miscount]:
    """The tenant's days that have lost rows since they were counted, or got some without arriving."""
    rows = (await session.execute(MISCOUNTED, {"tenant_id": tenant_id})).all()
    return [Miscount(row.day, row.counted, row.found) for row in rows]


async def unsealed(session: AdminSession) -> int:
    """How many counted rows are under no seal (yet)."""
    counted = select(func.coalesce(func.sum(AuditDay.n), 0)).scalar_subquery()
    sealed = select(func.coalesce(func.sum(AuditSeal.n), 0)).scalar_subquery()
    return int(await session.scalar(select(counted - sealed)) or 0)
