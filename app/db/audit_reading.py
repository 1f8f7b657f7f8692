"""Reading the audit trail: pages by number with the exact total, pages by cursor, and streams.

A page and its total are one statement, so they see the same rows, whatever is written meanwhile.

Without filters, the total is the sum of `audit_days` plus the rows that are not counted there yet, and the
page is found by the days' running sum: what is read grows with the number of days, and inside the day where
the page begins an index-only walk of idx_audit_logs_tenant_id_timestamp leads to its first row. Over all
tenants, that day is read by idx_audit_logs_arrival (BRIN) and sorted.

With filters, rows are counted and skipped as they are: exact, in time that grows with the rows that match,
found by idx_audit_logs_user_id_timestamp, _event_type_timestamp, _severity_timestamp, or, for a span of time
alone, _tenant_id_timestamp.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import Enum, auto
from functools import cache
from uuid import UUID

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Date,
    DateTime,
    ScalarSelect,
    Select,
    Uuid,
    bindparam,
    column,
    func,
    literal,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.orm import aliased

from app.core.database import AdminSession, ReadSession
from app.db.audit_tables import AuditDay
from app.db.paging import PageNumber, Position
from app.db.tables import AuditLog

TENANT = bindparam("tenant", type_=Uuid())
NEWEST_FIRST = (AuditLog.timestamp.desc(), AuditLog.id.desc())
# Rows that a stream holds in memory at a time.
STREAMED_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which rows are meant; None means any. `since` is included in the span of time, `until` is not."""

    user_id: UUID | None = None
    event_type: str | None = None
    severity: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) is not None for field in fields(self))


EVERYTHING = AuditFilter()


class Whose(Enum):
    """Whose rows are read: the transaction's own tenant's, or, by the admin's role, one tenant's or all."""

    OWN = auto()
    ONE = auto()
    ALL = auto()


async def numbered_page(
    session: ReadSession | AdminSession, tenant: UUID | None, wanted: AuditFilter, page: PageNumber
) -> tuple[list[AuditLog], int]:
    """The rows of a page, newest first, and how many rows there are in all; of all tenants when it is None."""
    if wanted:
        statement, values = _filtered(conditions(tenant, wanted), page), {}
    else:
        whose = Whose.OWN if isinstance(session, ReadSession) else Whose.ALL if tenant is None else Whose.ONE
        statement, values = counted_page(whose), {"tenant": tenant, "skipped": page.skipped, "size": page.size}
    found = (await session.execute(statement, values)).all()
    return [row[1] for row in found if row[1] is not None], int(found[0][0])


async def page_after(
    session: ReadSession | AdminSession, tenant: UUID | None, wanted: AuditFilter, position: Position | None, size: int
) -> Sequence[AuditLog]:
    """The rows that come after a position (the first ones after None), newest first."""
    statement = select(AuditLog).where(*conditions(tenant, wanted)).order_by(*NEWEST_FIRST).limit(size)
    if position is not None:
        # A row value, and not `a < x OR (a = x AND b < y)`, which begins at the first row of the index.
        here = tuple_(literal(position.timestamp), literal(position.id))
        statement = statement.where(tuple_(AuditLog.timestamp, AuditLog.id) < here)
    return (await session.scalars(statement)).all()


async def stream(
    session: ReadSession | AdminSession, tenant: UUID | None, wanted: AuditFilter
) -> AsyncIterator[AuditLog]:
    """All rows, newest first, a few hundred in memory at a time."""
    statement = select(AuditLog).where(*conditions(tenant, wanted)).order_by(*NEWEST_FIRST)
    rows = await session.stream_scalars(statement.execution_options(yield_per=STREAMED_AT_ONCE))
    try:
        async for row in rows:
            yield row
    finally:
        await rows.close()


def conditions(tenant: UUID | None, wanted: AuditFilter = EVERYTHING) -> tuple[ColumnElement[bool], ...]:
    """What holds for the rows of a tenant (of all when it is None) that a filter means."""
    wanted_equal = (
        (AuditLog.tenant_id, tenant),
        (AuditLog.user_id, wanted.user_id),
        (AuditLog.event_type, wanted.event_type),
        (AuditLog.severity, wanted.severity),
    )
    found = [column == value for column, value in wanted_equal if value is not None]
    if wanted.since is not None:
        found.append(AuditLog.timestamp >= wanted.since)
    if wanted.until is not None:
        found.append(AuditLog.timestamp < wanted.until)
    return tuple(found)


def _filtered(where: tuple[ColumnElement[bool], ...], page: PageNumber) -> Select[int, AuditLog]:
    total = select(func.count()).select_from(AuditLog).where(*where).scalar_subquery()
    rows = select(AuditLog).where(*where).order_by(*NEWEST_FIRST).limit(page.size).offset(page.skipped)
    return _with_total(total, rows)


def _with_total(total: ScalarSelect[int], rows: Select[AuditLog]) -> Select[int, AuditLog]:
    """One row at least, also when the page is empty: it says how many there are."""
    page = rows.subquery("page")
    entity = aliased(AuditLog, page)
    return (
        select(total.label("total"), entity)
        .select_from(select(literal(1)).subquery("one").outerjoin(page, true()))
        .order_by(entity.timestamp.desc(), entity.id.desc())
    )


@cache
def counted_page(whose: Whose) -> Select[int, AuditLog]:
    """The page, found by the days' running sum: in which day it begins, and how many of the day's rows before.

    Made once: to make it, and to see that it is the statement that was compiled before, took SQLAlchemy
    longer than PostgreSQL took to run it.
    """
    skipped, size = bindparam("skipped", type_=BigInteger), bindparam("size", type_=BigInteger)
    place = _place(_days(whose), skipped, size)
    # Single values, found before the rest of the statement is run.
    begin, end, skip, total = (
        select(value).scalar_subquery()
        for value in (_start_of(place.c.oldest), _start_of(place.c.newest + 1), skipped - place.c.before, place.c.total)
    )
    own = () if whose is Whose.ALL else (AuditLog.tenant_id == TENANT,)
    inside = (*own, AuditLog.timestamp >= begin, AuditLog.timestamp < end)
    # Only idx_audit_logs_tenant_id_timestamp is walked to find when the page begins; rows of that very moment
    # that belong to the page before are skipped by their keys.
    moment = select(AuditLog.timestamp).where(*inside).order_by(AuditLog.timestamp.desc()).offset(skip).limit(1)
    when = select(moment.cte("moment").c.timestamp).scalar_subquery()
    later = select(func.count()).select_from(AuditLog).where(*inside, AuditLog.timestamp > when).scalar_subquery()
    rows = select(AuditLog).where(*own, AuditLog.timestamp >= begin, AuditLog.timestamp <= when)
    return _with_total(total, rows.order_by(*NEWEST_FIRST).limit(size).offset(skip - later))


def _place(days: CTE, skipped: ColumnElement[int], size: ColumnElement[int]) -> CTE:
    upto = func.sum(days.c.n).over(order_by=days.c.day.desc()).cast(BigInteger).label("upto")
    running = select(days.c.day, days.c.n, upto).cte("running")
    reaches = running.c.upto > skipped
    fills = running.c.upto >= skipped + size
    return select(
        func.max(running.c.day).filter(reaches).label("newest"),
        func.min(running.c.upto - running.c.n).filter(reaches).label("before"),
        func.coalesce(func.max(running.c.day).filter(fills), func.min(running.c.day)).label("oldest"),
        func.coalesce(func.max(running.c.upto), 0).label("total"),
    ).cte("place")


def _days(whose: Whose) -> CTE:
    """How many rows each day has: those counted before, and those that arrived since."""
    kept = select(AuditDay.day, AuditDay.n)
    if whose is not Whose.ALL:
        kept = kept.where(AuditDay.tenant_id == TENANT)
    both = union_all(kept, _fresh(whose)).subquery("both")
    return select(both.c.day, func.sum(both.c.n).cast(BigInteger).label("n")).group_by(both.c.day).cte("days")


def _fresh(whose: Whose) -> Select[date, int]:
    if whose is Whose.OWN:
        fresh = func.audit_fresh_days().table_valued(
            column("fresh_day", Date()), column("fresh_n", BigInteger()), name="fresh"
        )
        return select(fresh.c.fresh_day, fresh.c.fresh_n)
    day = func.timezone("UTC", AuditLog.timestamp).cast(Date)
    arrived = AuditLog.arrival >= select(func.audit_counted_to()).scalar_subquery()
    statement = select(day, func.count()).where(arrived).group_by(day)
    # So compared, the tenant brings no other index in than the one by arrival.
    return statement if whose is Whose.ALL else statement.where(AuditLog.tenant_id.is_not_distinct_from(TENANT))


def _start_of(day: ColumnElement[date]) -> ColumnElement[datetime]:
    return func.timezone("UTC", day.cast(DateTime), type_=DateTime(timezone=True))
