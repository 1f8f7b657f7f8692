"""`/v1/sessions`: guests' conversations."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, JsonValue

from app.api.access import OwnScope, PartsOf
from app.api.fields import Body, Cursor, PageSize, Shown, Version
from app.api.routes import CLASHING, NOT_FOUND, api_router
from app.db.guest_sessions import Conversation, SessionFilter
from app.services.listing import Page

router = api_router("sessions")

EXAMPLE: dict[str, JsonValue] = {
    "id": "019aa0c4-5b50-7cc3-98a1-6f4cf5b1b0f3",
    "user_id": "019aa0c4-1c2d-7f10-8d3e-0b8f2a6c9e41",
    "identifier_id": "019aa0c4-2e3f-7a21-9e4f-1c9a3b7d0f52",
    "platform": "whatsapp",
    "state": "closed",
    "version": 4,
    "context": {"messages": 4, "stay": {"arrival": "2026-11-24", "departure": "2026-11-26", "guests": 2}},
    "created_at": "2026-11-23T10:00:00Z",
    "last_message_at": "2026-11-23T10:04:17Z",
    "closed_at": "2026-11-23T10:30:00Z",
}
State = Literal["active", "idle", "closed"]


class ShownStay(Shown):
    """The stay that the guest asked for last."""

    arrival: date
    departure: date
    guests: int


class ShownContext(Shown):
    """What is known of the conversation; no texts are kept."""

    messages: int
    stay: ShownStay | None


class ShownSession(Shown):
    """A conversation; `version` grows with every change."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [EXAMPLE]})

    id: UUID
    user_id: UUID
    identifier_id: UUID
    platform: str
    state: State
    version: int
    context: ShownContext
    created_at: datetime
    last_message_at: datetime
    closed_at: datetime | None


class Sessions(Shown):
    """A page of conversations, the newest first."""

    items: list[ShownSession]
    next_cursor: str | None


class Closing(Body):
    """Which version of the conversation is meant to end."""

    version: Version


@router.get("/v1/sessions", response_model=Sessions)
async def listed(
    scope: OwnScope,
    parts: PartsOf,
    state: State | None = None,
    user_id: UUID | None = None,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> Page[Conversation]:
    """Conversations of a tenant, or of one of its guests."""
    return await parts.sessions.listed(scope, SessionFilter(state=state, user_id=user_id), cursor, limit)


@router.get("/v1/sessions/{session_id}", response_model=ShownSession, responses=NOT_FOUND)
async def one(session_id: UUID, scope: OwnScope, parts: PartsOf) -> Conversation:
    """One conversation."""
    return await parts.sessions.get(scope, session_id)


@router.post("/v1/sessions/{session_id}/close", response_model=ShownSession, responses=CLASHING)
async def close(session_id: UUID, scope: OwnScope, parts: PartsOf, closing: Closing) -> Conversation:
    """End a conversation. 409 when it has changed since the version that is named, or has ended."""
    return await parts.sessions.close(scope, session_id, closing.version)
