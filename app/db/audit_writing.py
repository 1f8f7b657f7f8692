"""Writing events to the audit trail: many of any tenants in one statement, each at most once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from app.core.database import AdminSession
from app.db.ddl import read_sql

INSERT = text(read_sql("insert_audit_events.sql"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """An event as it is stored. `details` is a JSON object as text."""

    tenant_id: UUID
    id: UUID
    timestamp: datetime
    event_type: str
    severity: str
    user_id: UUID | None
    resource: str | None
    request_id: str | None
    details: str


async def insert(session: AdminSession, rows: Sequence[AuditRow]) -> None:
    """Write the rows that are not there yet. Raises Conflict when one names a tenant that does not exist."""
    columns = {name: [getattr(row, name) for row in rows] for name in AuditRow.__slots__}
    await session.execute(INSERT, columns)
