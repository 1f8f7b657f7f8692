"""Counting the audit trail by days: what a page's total and place are found by (`audit_days`)."""

from dataclasses import dataclass

from sqlalchemy import text

from app.core.database import AdminSession
from app.db.ddl import read_sql

DRAW = text(read_sql("draw_arrival.sql"))
ENDED = text(read_sql("transactions_ended.sql"))
COUNT = text(read_sql("count_audit_days.sql"))
OWN_TRANSACTION = text("SELECT cast(pg_current_xact_id() AS text)")
COUNTED_TO = text("SELECT audit_counted_to()")
# One at a time, whichever process asks; the lock ends with its transaction.
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('audit_rollup', 0))")


@dataclass(frozen=True, slots=True)
class Mark:
    """An arrival number, and the transaction before which all must have ended for the rows below it to be final."""

    arrival: int
    transaction: str


async def draw_mark(session: AdminSession) -> Mark:
    """Draw a mark, in a transaction that has written nothing before.

    The number is drawn first: whoever drew a smaller one had a transaction number by then, so theirs is
    smaller than the one that this transaction is given now.
    """
    arrival = await session.scalar(DRAW)
    transaction = await session.scalar(OWN_TRANSACTION)
    return Mark(arrival=int(arrival), transaction=str(transaction))


async def is_final(session: AdminSession, mark: Mark) -> bool:
    """Whether no row below the mark can appear any more."""
    return bool(await session.scalar(ENDED, {"transaction": mark.transaction}))


async def counted_to(session: AdminSession) -> int:
    """The arrival number below which all rows are counted."""
    return int(await session.scalar(COUNTED_TO))


async def count_up_to(session: AdminSession, mark: Mark) -> bool:
    """Count the rows below a mark that is final; false when another process is at it."""
    if not await session.scalar(TRY_LOCK):
        return False
    before = await counted_to(session)
    if before < mark.arrival:
        await session.execute(COUNT, {"counted_from": before, "counted_to": mark.arrival})
    return True
