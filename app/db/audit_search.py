"""Search in the details of a tenant's audit trail, by index and under row level security."""

from collections.abc import Sequence

from sqlalchemy import DateTime, Uuid, column, func, select

from app.core.database import ReadSession
from app.core.errors import Invalid
from app.db.audit_reading import NEWEST_FIRST
from app.db.paging import Position
from app.db.tables import AuditLog

# Fewer characters than a trigram has give the index nothing to look for.
SHORTEST = 3
LONGEST = 200


async def search(session: ReadSession, needle: str, position: Position | None, size: int) -> Sequence[AuditLog]:
    """The tenant's newest rows before a position whose details contain the text, whatever its case.

    Raises Invalid for a text of fewer than 3 or more than 200 characters, or with characters that no row has.
    """
    if not SHORTEST <= len(needle) <= LONGEST:
        raise Invalid(f"a text to search for has {SHORTEST} to {LONGEST} characters")
    before = (None, None) if position is None else (position.timestamp, position.id)
    found = func.search_audit_logs(needle, size, *before).table_valued(
        column("found_id", Uuid()), column("found_at", DateTime(timezone=True)), name="found"
    )
    statement = (
        select(AuditLog)
        .join(found, found.c.found_id == AuditLog.id)
        .where(AuditLog.tenant_id == session.scope.tenant_id)
        .order_by(*NEWEST_FIRST)
    )
    return (await session.scalars(statement)).all()
