"""The audit trail's front: events are recorded, and pages, streams and searches are read, as a viewer may."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from app.core.database import AdminSession, Database, ReadSession
from app.core.errors import Invalid, NotFound
from app.core.tenancy import TenantScope
from app.db import audit_reading, audit_search
from app.db.audit_reading import EVERYTHING, AuditFilter
from app.db.paging import PageNumber, Position, check_size, decode_cursor, encode_cursor
from app.db.tables import SEVERITIES, AuditLog
from app.services.security.events import UNSTORABLE, AuditEvent
from app.services.security.outbox import AuditOutbox


@dataclass(frozen=True, slots=True)
class Operator:
    """Someone who may read all tenants' rows: who, and in which request."""

    actor: str
    request_id: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Rows, newest first, and the cursor of the page after them; None after the last one."""

    rows: Sequence[AuditLog]
    next_cursor: str | None


class AuditLogger:
    """The audit trail for one viewer: a tenant (its own rows) or an operator (all). Cheap: make one a request."""

    def __init__(self, database: Database, outbox: AuditOutbox, viewer: TenantScope | Operator) -> None:
        self._database = database
        self._outbox = outbox
        self._viewer = viewer

    async def record(self, event: AuditEvent) -> None:
        """Record a business event. Raises Invalid when it cannot be stored, Unavailable when nothing can keep it."""
        await self._outbox.put(event)

    async def get_audit_logs(
        self, tenant_id: UUID | None = None, page: int = 1, page_size: int = 20, wanted: AuditFilter = EVERYTHING
    ) -> tuple[list[AuditLog], int]:
        """A page of rows, newest first, and how many rows there are in all: both exact, of one moment.

        Without `tenant_id` those of all tenants, which only an operator may read. A page past the end is
        empty. Raises Invalid for a page below 1 or a size outside 1 to 500, NotFound for a tenant that the
        viewer may not see.
        """
        number = PageNumber(page, page_size)
        _check(wanted)
        async with self._session(tenant_id) as session:
            return await audit_reading.numbered_page(session, tenant_id, wanted, number)

    async def get_audit_page(
        self,
        tenant_id: UUID | None = None,
        cursor: str | None = None,
        page_size: int = 20,
        wanted: AuditFilter = EVERYTHING,
    ) -> AuditPage:
        """The rows after a cursor (the newest without one), at the same cost at any depth. Raises as above."""
        check_size(page_size)
        _check(wanted)
        listing = f"{tenant_id} {wanted}"
        position = None if cursor is None else decode_cursor(cursor, listing)
        async with self._session(tenant_id) as session:
            rows = await audit_reading.page_after(session, tenant_id, wanted, position, page_size + 1)
        return _page(rows, page_size, listing)

    async def iter_audit_logs(
        self, tenant_id: UUID | None = None, wanted: AuditFilter = EVERYTHING
    ) -> AsyncIterator[AuditLog]:
        """All rows, newest first, a few hundred in memory at a time. Its transaction is open as long as it runs."""
        _check(wanted)
        async with self._session(tenant_id) as session:
            async for row in audit_reading.stream(session, tenant_id, wanted):
                yield row

    async def search(self, text: str, cursor: str | None = None, page_size: int = 20) -> AuditPage:
        """The viewer's tenant's rows whose details contain a text of 3 to 200 characters, newest first."""
        check_size(page_size)
        _check_text(text)
        if isinstance(self._viewer, Operator):
            raise Invalid("a search is in one tenant's audit trail")
        listing = f"{self._viewer.tenant_id} search {text}"
        position = None if cursor is None else decode_cursor(cursor, listing)
        async with self._database.read(self._viewer) as session:
            rows = await audit_search.search(session, text, position, page_size + 1)
        return _page(rows, page_size, listing)

    @asynccontextmanager
    async def _session(self, tenant_id: UUID | None) -> AsyncIterator[ReadSession | AdminSession]:
        viewer = self._viewer
        if isinstance(viewer, Operator):
            async with self._database.admin(viewer.actor, viewer.request_id) as session:
                yield session
        elif tenant_id is None:
            raise Invalid("name a tenant: only an operator reads all tenants' rows")
        elif tenant_id != viewer.tenant_id:
            raise NotFound("there is no such tenant")
        else:
            async with self._database.read(viewer) as own:
                yield own


def _page(rows: Sequence[AuditLog], size: int, listing: str) -> AuditPage:
    """One row more than the page was asked for: it tells whether there is a next page."""
    kept = rows[:size]
    if len(rows) <= size:
        return AuditPage(kept, None)
    last = kept[-1]
    return AuditPage(kept, encode_cursor(Position(last.timestamp, last.id), listing))


def _check(wanted: AuditFilter) -> None:
    if wanted.severity is not None and wanted.severity not in SEVERITIES:
        raise Invalid(f"severity must be one of {', '.join(SEVERITIES)}")
    _check_text(wanted.event_type or "")
    for moment in (wanted.since, wanted.until):
        if moment is not None and moment.tzinfo is None:
            raise Invalid("a moment needs a time zone")


def _check_text(text: str) -> None:
    if UNSTORABLE.search(text):
        raise Invalid("a text has characters that are never stored")
