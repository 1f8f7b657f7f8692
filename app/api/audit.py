"""`/v1/audit`: the audit trail, by pages and as a stream."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import JsonValue
from starlette.responses import StreamingResponse

from app.api.access import Caller, PartsOf, Whose, request_id
from app.api.fields import Cursor, Moment, PageNumber, PageSize, Shown
from app.api.routes import NOT_FOUND, api_router
from app.core.errors import Invalid
from app.db.audit_reading import AuditFilter
from app.db.audit_search import LONGEST, SHORTEST
from app.db.paging import LARGEST_PAGE
from app.services.security.audit_logger import AuditLogger, AuditPage, Operator

router = api_router("audit")

LINES = "application/x-ndjson"
EXPORTED: dict[int | str, dict[str, Any]] = {
    HTTPStatus.OK: {"content": {LINES: {"schema": {"type": "string"}}}, "description": "Events, one a line"}
}
Severity = Literal["debug", "info", "warning", "error", "critical"]


class ShownEvent(Shown):
    """One event."""

    id: UUID
    tenant_id: UUID
    timestamp: datetime
    event_type: str
    severity: Severity
    user_id: UUID | None
    resource: str | None
    request_id: str | None
    details: dict[str, JsonValue]


class NumberedPage(Shown):
    """The events of a page, the newest first, and how many there are in all."""

    items: list[ShownEvent]
    total: int
    page: int


class CursorPage(Shown):
    """The events after a cursor, the newest first; `next_cursor` is null on the last page."""

    items: list[ShownEvent]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Trail:
    """The audit trail as the caller may see it, and whose is meant: all tenants' when it is None."""

    logger: AuditLogger
    tenant_id: UUID | None


async def trail(request: Request, caller: Caller, parts: PartsOf, tenant_id: Whose) -> Trail:
    """A tenant's own trail; the operator's choice of one tenant's or of all."""
    name = request_id(request)
    viewer = Operator(caller.actor, name) if tenant_id is None else caller.scope(tenant_id, name)
    return Trail(AuditLogger(parts.database, parts.outbox, viewer), tenant_id)


async def filtered(
    user_id: UUID | None = None,
    event_type: Annotated[str | None, Query(min_length=1, max_length=100)] = None,
    severity: Severity | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
) -> AuditFilter:
    """Which events are meant; `since` is included, `until` is not."""
    return AuditFilter(user_id=user_id, event_type=event_type, severity=severity, since=since, until=until)


ATrail = Annotated[Trail, Depends(trail)]
Wanted = Annotated[AuditFilter, Depends(filtered)]
Search = Annotated[
    str | None,
    Query(min_length=SHORTEST, max_length=LONGEST, description="A text in the details; pages by cursor, no filters."),
]


@router.get("/v1/audit", response_model=NumberedPage | CursorPage, responses=NOT_FOUND)
async def listed(
    the: ATrail,
    wanted: Wanted,
    page: PageNumber | None = None,
    page_size: PageSize = 20,
    cursor: Cursor = None,
    q: Search = None,
) -> NumberedPage | CursorPage:
    """A page of events: by number with the exact total, or, with `cursor` (empty for the first page), after it."""
    if page is not None and (cursor is not None or q is not None):
        raise Invalid("pages are by number or by cursor, and those of a search are by cursor")
    if q is not None:
        if wanted:
            raise Invalid("a search takes no filters")
        return _shown(await the.logger.search(q, cursor or None, page_size))
    if cursor is not None:
        return _shown(await the.logger.get_audit_page(the.tenant_id, cursor or None, page_size, wanted))
    number = 1 if page is None else page
    rows, total = await the.logger.get_audit_logs(the.tenant_id, number, page_size, wanted)
    return NumberedPage(items=[ShownEvent.model_validate(row) for row in rows], total=total, page=number)


@router.get("/v1/audit/export", response_class=StreamingResponse, responses=EXPORTED | NOT_FOUND)
async def export(the: ATrail, wanted: Wanted) -> StreamingResponse:
    """All events, the newest first, one JSON object a line. An answer that ends in mid-stream is not complete."""
    # The first page is read before anything is sent, so that what is wrong is answered as elsewhere.
    first = await the.logger.get_audit_page(the.tenant_id, None, LARGEST_PAGE, wanted)
    return StreamingResponse(_lines(the, wanted, first), media_type=LINES)


async def _lines(the: Trail, wanted: AuditFilter, page: AuditPage) -> AsyncIterator[bytes]:
    """Each page is a transaction of its own: a slow reader keeps no connection, and holds no vacuum back."""
    while True:
        yield b"".join(ShownEvent.model_validate(row).model_dump_json().encode() + b"\n" for row in page.rows)
        if page.next_cursor is None:
            return
        page = await the.logger.get_audit_page(the.tenant_id, page.next_cursor, LARGEST_PAGE, wanted)


def _shown(page: AuditPage) -> CursorPage:
    return CursorPage(items=[ShownEvent.model_validate(row) for row in page.rows], next_cursor=page.next_cursor)
