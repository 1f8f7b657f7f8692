"""What stands beside the audit trail: how many rows each day has, and the seals over them.

Each row of `audit_logs` draws a number from `audit_arrivals` when it is written, after its transaction has
drawn its own (`ARRIVAL` in tables.py). A number that was drawn before some moment therefore belongs to a
transaction that was already running then; when those have ended, all rows below it are known for good,
however old a time they carry. Counting and sealing go by this number, so a row that comes late is one more
row to count, not a hole in what was counted.
"""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.audit_protection import keep_days, keep_seals
from app.db.base import Base, TenantOwned


class AuditDay(TenantOwned, Base):
    """How many audit rows of a tenant carry a time of this day (UTC), of those that arrived before `counted_to`.

    Rows that arrived at or after the greatest `counted_to` of the table are in no count yet.
    """

    __tablename__ = "audit_days"

    day: Mapped[date]
    n: Mapped[int]
    counted_to: Mapped[int]

    __table_args__ = (
        CheckConstraint("n >= 1", name="n"),
        Index("idx_audit_days_tenant_id_day", "tenant_id", "day", unique=True, postgresql_include=["n"]),
        # Finds up to where rows are counted: every page asks.
        Index(None, "counted_to"),
        {"info": {"protection": keep_days()}},
    )


class AuditSeal(TenantOwned, Base):
    """A seal over rows of a tenant's day: those that arrived from `arrived_from` (included) to `arrived_to` (not).

    `hash` is over the rows and over the tenant's seal before, `leaves` has a short digest of each row under
    its id, so that the row that was changed can be named. `number` counts a tenant's seals from 1.
    """

    __tablename__ = "audit_seals"

    number: Mapped[int]
    day: Mapped[date]
    arrived_from: Mapped[int]
    arrived_to: Mapped[int]
    n: Mapped[int]
    first_id: Mapped[UUID]
    last_id: Mapped[UUID]
    leaves: Mapped[bytes] = mapped_column(deferred=True)
    previous: Mapped[bytes]
    hash: Mapped[bytes]

    __table_args__ = (
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("n >= 1", name="n"),
        CheckConstraint("arrived_from < arrived_to", name="arrived"),
        CheckConstraint("octet_length(leaves) = 32 * n", name="leaves"),
        CheckConstraint("octet_length(hash) = 32 AND octet_length(previous) = 32", name="hash"),
        Index("idx_audit_seals_tenant_id_number", "tenant_id", "number", unique=True),
        {"info": {"protection": keep_seals()}},
    )
