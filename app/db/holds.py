"""Room holds: written only under a lease on the room's night, and refused under one that is no longer the latest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, case, func, select, text

from app.core.database import ReadSession, WriteSession
from app.core.errors import Conflict
from app.db.ddl import read_sql
from app.db.hold_table import RoomHold
from app.db.leases import Lease

PLACE = text(read_sql("place_hold.sql"))
# A hold that ran out is nobody's any more, though nobody has written that.
STATE = case(
    ((RoomHold.state == "held") & (RoomHold.held_until <= func.statement_timestamp()), "expired"), else_=RoomHold.state
)
SHOWN = (
    RoomHold.id,
    RoomHold.session_id,
    RoomHold.room,
    RoomHold.night,
    STATE.label("state"),
    RoomHold.held_until,
    RoomHold.created_at,
)
CONFIRM = text(read_sql("confirm_hold.sql"))
CANCEL = text(read_sql("cancel_hold.sql"))
NEWEST_TOKEN = text(read_sql("newest_hold_token.sql"))


class StaleLease(Conflict):
    """The room's night was written under a later lease since."""


class RoomTaken(Conflict):
    """The room's night is not this conversation's to change: it is another's, or the hold has run out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomNight:
    """A room for the night that begins on this day; what a lease is taken on, and a hold placed on."""

    room: str
    night: date

    @property
    def resource(self) -> str:
        """The name that its lease has."""
        return f"room_night:{self.night.isoformat()}:{self.room}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A room's night and who has it; `state` is held, expired, confirmed or cancelled."""

    id: UUID
    session_id: UUID
    room: str
    night: date
    state: str
    held_until: datetime
    created_at: datetime


async def place(
    session: WriteSession, lease: Lease, what: RoomNight, guest_session: UUID, duration: timedelta
) -> datetime:
    """Hold the room's night for a guest's conversation; until when, by the server's clock.

    Raises StaleLease when it was written under a later lease, RoomTaken when another conversation has it.
    """
    held_until: datetime = await _write(session, PLACE, lease, what, guest_session, {"duration": duration})
    return held_until


async def confirm(session: WriteSession, lease: Lease, what: RoomNight, guest_session: UUID) -> None:
    """Make the conversation's hold a booking. Raises StaleLease, and RoomTaken also when the hold has run out."""
    await _write(session, CONFIRM, lease, what, guest_session, {})


async def cancel(session: WriteSession, lease: Lease, what: RoomNight, guest_session: UUID) -> None:
    """Free the room's night. Raises StaleLease, and RoomTaken when the conversation does not have it."""
    await _write(session, CANCEL, lease, what, guest_session, {})


async def get(session: ReadSession, what: RoomNight) -> Hold:
    """The hold on a room's night, which has been written before."""
    mine = RoomHold.tenant_id == session.scope.tenant_id
    statement = select(*SHOWN).where(mine, RoomHold.room == what.room, RoomHold.night == what.night)
    return Hold(**(await session.execute(statement)).mappings().one())


async def listed(session: ReadSession, guest_session: UUID | None, before: UUID | None, limit: int) -> Sequence[Hold]:
    """The tenant's holds, or one conversation's: rooms' nights, those that were held first of all last."""
    statement = select(*SHOWN).where(RoomHold.tenant_id == session.scope.tenant_id, RoomHold.deleted_at.is_(None))
    if guest_session is not None:
        statement = statement.where(RoomHold.session_id == guest_session)
    if before is not None:
        statement = statement.where(RoomHold.id < before)
    rows = await session.execute(statement.order_by(RoomHold.id.desc()).limit(limit))
    return [Hold(**row) for row in rows.mappings()]


async def _write(
    session: WriteSession,
    statement: TextClause,
    lease: Lease,
    what: RoomNight,
    guest_session: UUID,
    more: dict[str, object],
) -> Any:
    if lease.resource != what.resource:
        raise ValueError(f"the lease is on {lease.resource!r}, the hold would be on {what.resource!r}")
    night: dict[str, object] = {"tenant_id": lease.tenant_id, "room": what.room, "night": what.night}
    values = {**night, "session_id": guest_session, "token": lease.token, **more}
    row = (await session.execute(statement, values)).one_or_none()
    if row is not None:
        return row[0]
    newest = (await session.execute(NEWEST_TOKEN, night)).scalar_one_or_none()
    if newest is not None and newest > lease.token:
        raise StaleLease("someone else has worked on this room's night meanwhile; look again")
    raise RoomTaken("the room's night is not this conversation's; look again")
