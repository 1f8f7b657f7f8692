"""`/v1/holds`: rooms held for guests, by room and night."""

from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue

from app.api.access import OwnScope, PartsOf
from app.api.fields import Body, Cursor, Day, PageSize, Room, Shown
from app.api.routes import CLASHING, api_router
from app.db.holds import Hold, RoomNight
from app.services.listing import Page
from app.services.room_holds import LONGEST

router = api_router("holds")

EXAMPLE: dict[str, JsonValue] = {
    "session_id": "019aa0c4-5b50-7cc3-98a1-6f4cf5b1b0f3",
    "room": "204",
    "night": "2026-11-24",
    "seconds": 900,
}

EXAMPLE_ANSWER: dict[str, JsonValue] = {
    "id": "019aa0c5-0a1b-7c2d-8e3f-4a5b6c7d8e9f",
    "session_id": "019aa0c4-5b50-7cc3-98a1-6f4cf5b1b0f3",
    "room": "204",
    "night": "2026-11-24",
    "state": "held",
    "held_until": "2026-11-23T10:15:00Z",
    "created_at": "2026-11-23T10:00:00Z",
}


class NewHold(Body):
    """Which room is to be held, for whom, and for how long."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    session_id: UUID
    room: Room
    night: Day
    seconds: Annotated[int, Field(strict=True, ge=1, le=int(LONGEST.total_seconds()))]


class Holder(Body):
    """The conversation that has the room."""

    session_id: UUID


class ShownHold(Shown):
    """A room for the night that begins on this day."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [EXAMPLE_ANSWER]})

    id: UUID
    session_id: UUID
    room: str
    night: date
    state: str
    held_until: datetime
    created_at: datetime


class Holds(Shown):
    """A page of holds, the newest first."""

    items: list[ShownHold]
    next_cursor: str | None


@router.get("/v1/holds", response_model=Holds)
async def listed(
    scope: OwnScope, parts: PartsOf, session_id: UUID | None = None, cursor: Cursor = None, limit: PageSize = 50
) -> Page[Hold]:
    """Holds of a tenant, or of one conversation."""
    return await parts.room_holds.listed(scope, session_id, cursor, limit)


@router.post("/v1/holds", response_model=ShownHold, status_code=HTTPStatus.CREATED, responses=CLASHING)
async def place(scope: OwnScope, parts: PartsOf, wanted: NewHold) -> Hold:
    """Hold a room; again, for the same conversation, prolongs it. 409 when another has it."""
    night = RoomNight(room=wanted.room, night=wanted.night)
    return await parts.room_holds.place(scope, wanted.session_id, night, timedelta(seconds=wanted.seconds))


@router.post("/v1/holds/{room}/{night}/confirm", response_model=ShownHold, responses=CLASHING)
async def confirm(room: Room, night: Day, scope: OwnScope, parts: PartsOf, holder: Holder) -> Hold:
    """Make a hold a booking. 409 when it has run out, or another has the room."""
    return await parts.room_holds.confirm(scope, holder.session_id, RoomNight(room=room, night=night))


@router.delete("/v1/holds/{room}/{night}", response_model=ShownHold, responses=CLASHING)
async def cancel(room: Room, night: Day, session_id: UUID, scope: OwnScope, parts: PartsOf) -> Hold:
    """Free a room. 409 when another conversation has it."""
    return await parts.room_holds.cancel(scope, session_id, RoomNight(room=room, night=night))
