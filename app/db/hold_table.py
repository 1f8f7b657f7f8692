"""The table of room holds: which conversation has a room for a night, and until when."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, TenantOwned, length, one_of

HOLD_STATES = ("held", "confirmed", "cancelled")


class RoomHold(TenantOwned, Base):
    """A room for one night. Its row stays when the hold is cancelled, and the next hold takes the same row.

    So `fencing_token`, that of the lease under which the row was written last, only ever grows.
    """

    __tablename__ = "room_holds"

    session_id: Mapped[UUID]
    room: Mapped[str]
    night: Mapped[date]
    state: Mapped[str] = mapped_column(server_default="held")
    held_until: Mapped[datetime]
    fencing_token: Mapped[int]

    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "session_id"], ["sessions.tenant_id", "sessions.id"]),
        length("room", 50),
        one_of("state", HOLD_STATES),
        CheckConstraint("fencing_token >= 1", name="fencing_token"),
        # Over all rows, deleted or not, so that a room's night has one row and no token is forgotten.
        Index("idx_room_holds_tenant_id_room_night", "tenant_id", "room", "night", unique=True),
        # It stands behind the foreign key, and finds the holds of a conversation.
        Index(None, "tenant_id", "session_id"),
    )
