"""`/v1/messages`: what channels hand in."""

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Request
from pydantic import ConfigDict, Field, JsonValue

from app.api.access import Caller, PartsOf, request_id
from app.api.fields import Body, Count, Day, Shown
from app.api.routes import api_router
from app.services.messages import (
    LONGEST_IDENTIFIER,
    LONGEST_MESSAGE_ID,
    LONGEST_TEXT,
    OLD_OFFERS,
    IncomingMessage,
    Reply,
    ReplyKind,
    StayRequest,
)

router = api_router("messages", HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)

EXAMPLE: dict[str, JsonValue] = {
    "platform": "whatsapp",
    "identifier": "+34 612 345 678",
    "text": "¿Tienen una doble para dos noches?",
    "stay": {"arrival": "2026-11-24", "departure": "2026-11-26", "guests": 2},
    "message_id": "wamid.HBgLMzQ2MTIzNDU2NzgVAgASGBQz",
}
EXAMPLE_ANSWER: dict[str, JsonValue] = {
    "session_id": "019aa0c4-5b50-7cc3-98a1-6f4cf5b1b0f3",
    "session_version": 4,
    "state": "active",
    "kind": "offers",
    "offers": [{"room_type": "doble", "free": 7, "total_cents": 17800, "currency": "EUR"}],
    "stale": True,
    "age_seconds": 412.5,
    "notice": OLD_OFFERS,
}
Platform = Literal["phone", "whatsapp", "sms", "email", "telegram", "instagram", "messenger", "webchat"]


class AskedStay(Body):
    """The stay that the guest asks for; `departure` is the day after the last night."""

    arrival: Day
    departure: Day
    guests: Count


class Message(Body):
    """A guest's message."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    platform: Platform
    identifier: Annotated[str, Field(min_length=1, max_length=LONGEST_IDENTIFIER)]
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
    stay: AskedStay | None = None
    message_id: Annotated[
        str | None,
        Field(min_length=1, max_length=LONGEST_MESSAGE_ID, description="The channel's; the same when it sends again."),
    ] = None


class Offer(Shown):
    """Rooms of one type that are free on all nights, and the price of the whole stay in one."""

    room_type: str
    free: int
    total_cents: int
    currency: str


class Answer(Shown):
    """What comes of a message; `offers` is null where the hotel's system gave none, and `notice` says why."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"examples": [EXAMPLE_ANSWER]})

    session_id: UUID
    session_version: int
    state: str
    kind: ReplyKind
    offers: list[Offer] | None
    stale: bool
    age_seconds: float | None
    notice: str | None


@router.post("/v1/messages", response_model=Answer)
async def receive(request: Request, caller: Caller, parts: PartsOf, message: Message) -> Reply:
    """Take in a guest's message: it continues the guest's conversation, or begins one."""
    stay = message.stay
    incoming = IncomingMessage(
        platform=message.platform,
        identifier=message.identifier,
        text=message.text,
        stay=StayRequest(arrival=stay.arrival, departure=stay.departure, guests=stay.guests) if stay else None,
        message_id=message.message_id,
    )
    return await parts.messages.receive(caller, incoming, request_id(request))
