"""Rooms held for guests: each change under a lease on the room's night, so that no two conversations have it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from app.core.database import Database, WriteSession
from app.core.errors import Conflict, Invalid, NotFound
from app.core.tenancy import TenantScope
from app.db import guest_sessions, holds
from app.db.guest_sessions import Conversation
from app.db.holds import Hold, RoomNight
from app.db.leases import Lease
from app.db.paging import Position
from app.services.bookable import check_bookable
from app.services.leases import Leases
from app.services.listing import Page, page_of, position_of
from app.services.texts import check_text

LONGEST_ROOM = 50
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(hours=24)
# Longer than two statements take; what is written by a holder who sleeps longer is refused by its token.
LEASE_TTL = timedelta(seconds=10)
# Whoever has the room's night just now needs some milliseconds.
PATIENCE = timedelta(seconds=2)


def _today() -> date:
    return datetime.now(UTC).date()


class RoomHolds:
    """Places, confirms and cancels holds; each is committed when its call returns.

    All changes raise Invalid for a room or night that cannot be, NotFound for a conversation that is not this
    tenant's, and Conflict when the room's night is another conversation's or somebody else is at it just now.
    """

    def __init__(self, database: Database, leases: Leases, today: Callable[[], date] = _today) -> None:
        self._database = database
        self._leases = leases
        self._today = today

    async def place(self, scope: TenantScope, session_id: UUID, what: RoomNight, duration: timedelta) -> Hold:
        """Hold a room's night for a conversation; again, by the same, prolongs it. Conflict also for a closed one."""
        if not SHORTEST <= duration <= LONGEST:
            raise Invalid("a room is held for a second to a day")
        check_bookable(what.night, self._today())
        if (await self._checked(scope, session_id, what)).state == "closed":
            raise Conflict("the conversation is closed; a room is held for an open one")
        async with self._writing(scope, what) as (session, lease):
            await holds.place(session, lease, what, session_id, duration)
            return await holds.get(session, what)

    async def confirm(self, scope: TenantScope, session_id: UUID, what: RoomNight) -> Hold:
        """Make a hold a booking; again has no effect. Conflict also when the hold has run out."""
        await self._checked(scope, session_id, what)
        async with self._writing(scope, what) as (session, lease):
            await holds.confirm(session, lease, what, session_id)
            return await holds.get(session, what)

    async def cancel(self, scope: TenantScope, session_id: UUID, what: RoomNight) -> Hold:
        """Free a room's night; again has no effect."""
        await self._checked(scope, session_id, what)
        async with self._writing(scope, what) as (session, lease):
            await holds.cancel(session, lease, what, session_id)
            return await holds.get(session, what)

    async def listed(
        self, scope: TenantScope, session_id: UUID | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[Hold]:
        """The tenant's holds, or one conversation's. Raises Invalid for a wrong cursor or limit."""
        listing = f"holds {scope.tenant_id} {session_id}"
        position = position_of(cursor, listing, limit)
        async with self._database.read(scope) as session:
            found = await holds.listed(session, session_id, position.id if position else None, limit + 1)
        return page_of(found, limit, listing, lambda one: Position(one.created_at, one.id))

    @asynccontextmanager
    async def _writing(self, scope: TenantScope, what: RoomNight) -> AsyncIterator[tuple[WriteSession, Lease]]:
        async with (
            self._leases.hold(scope, what.resource, LEASE_TTL, PATIENCE) as lease,
            self._database.unit_of_work(scope) as session,
        ):
            yield session, lease

    async def _checked(self, scope: TenantScope, session_id: UUID, what: RoomNight) -> Conversation:
        """The conversation, before a lease is taken, which leaves a row for every room and night."""
        check_text("room", what.room, LONGEST_ROOM)
        async with self._database.read(scope) as session:
            found = await guest_sessions.get(session, session_id)
        if found is None:
            raise NotFound("there is no such conversation")
        return found
