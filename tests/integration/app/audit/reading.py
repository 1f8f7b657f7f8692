"""What the tests read the trail with: every row by pages, and every row as the owner sees it."""

import math
from pathlib import Path
from uuid import UUID

import psycopg

from app.core.database import Database
from app.core.tenancy import TenantScope
from app.services.security.audit_logger import AuditLogger, Operator
from app.services.security.outbox import AuditOutbox
from app.services.security.spool import Spool

Connection = psycopg.Connection[tuple[object, ...]]


def logger_of(hotel: Database, viewer: UUID | None) -> AuditLogger:
    """The trail as a tenant sees it, or an operator (None). Nothing is recorded with it."""
    outbox = AuditOutbox(hotel, Spool(Path("/nonexistent/spool")))
    who = Operator("token:test", "request-1") if viewer is None else TenantScope(viewer, "token:test", "request-1")
    return AuditLogger(hotel, outbox, who)


def all_ids(owner: Connection, tenant: UUID | None) -> list[object]:
    """Keys of all rows of a tenant (of all when it is None), newest first."""
    query = (
        'select id from audit_logs where %(t)s::uuid is null or tenant_id = %(t)s order by "timestamp" desc, id desc'
    )
    return [row[0] for row in owner.execute(query, {"t": tenant}).fetchall()]


async def pages(logger: AuditLogger, tenant: UUID | None, size: int) -> list[object]:
    """Keys of all rows, page by page; each page must tell the same total, and the one past the end too."""
    rows, total = await logger.get_audit_logs(tenant, 1, size)
    found = [row.id for row in rows]
    last = math.ceil(total / size)
    for number in range(2, last + 2):
        rows, again = await logger.get_audit_logs(tenant, number, size)
        assert again == total
        assert bool(rows) == (number <= last)
        found += [row.id for row in rows]
    assert len(found) == total
    return list(found)


async def cursors(logger: AuditLogger, tenant: UUID | None, size: int) -> list[object]:
    """Keys of all rows, cursor by cursor."""
    page = await logger.get_audit_page(tenant, None, size)
    found = [row.id for row in page.rows]
    while page.next_cursor is not None:
        page = await logger.get_audit_page(tenant, page.next_cursor, size)
        assert page.rows
        found += [row.id for row in page.rows]
    return list(found)
