"""A guest's message: which hotel it is for, which conversation it continues, and what the hotel's PMS has to offer."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from uuid import UUID

from app.core.errors import Invalid, NotFound, TooManyRequests, Unavailable
from app.core.identifiers import normalise
from app.core.tenancy import TenantScope
from app.db.guest_sessions import AskedStay, Contact, Context, Conversation, Noted
from app.db.tables import PLATFORMS
from app.services.bookable import check_bookable
from app.services.bounded_events import BoundedEvents
from app.services.guest_sessions import NOBODY, Change, GuestSessions
from app.services.pms_cache import Offers, PmsCache
from app.services.pms_types import HOTEL, Nights, PmsRejectedError, Stay, check_guests, check_nights
from app.services.principals import Principal
from app.services.rate_limit import Limit, RateLimiter
from app.services.read_through import Cached
from app.services.security.events import AuditEvent
from app.services.tenant_resolver import TenantResolver
from app.services.texts import check_text

LONGEST_TEXT = 4_000
LONGEST_IDENTIFIER = 400
LONGEST_MESSAGE_ID = 200
# A guest who types fast stays below it; a script does not.
MESSAGES = Limit(name="messages", amount=30, seconds=60)
OLD_OFFERS = "the hotel's reservation system does not answer just now; this is what it said last"
PMS_FAILURES_TOLD = Limit(name="pms-failed", amount=1, seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class StayRequest:
    """The stay that a guest asks about; `departure` is the day after the last night."""

    arrival: date
    departure: date
    guests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingMessage:
    """A message as a channel hands it in; `message_id` is the channel's, the same when it sends it again."""

    platform: str
    identifier: str
    text: str
    stay: StayRequest | None = None
    message_id: str | None = None


class ReplyKind(StrEnum):
    """What the reply is about."""

    NOTED = "noted"
    """The message is noted; no stay was asked for."""
    OFFERS = "offers"
    """The PMS has answered; there may be no room."""
    NO_OFFERS = "no_offers"
    """The PMS could not be asked, or refuses; the notice says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What comes of a message. `offers` is None where the PMS gave none; `age_seconds` says how old they are."""

    session_id: UUID
    session_version: int
    state: str
    kind: ReplyKind
    offers: Offers | None = None
    stale: bool = False
    age_seconds: float | None = None
    notice: str | None = None


def _today() -> date:
    return datetime.now(UTC).date()


class Messages:
    """Takes in guests' messages."""

    def __init__(
        self,
        resolver: TenantResolver,
        sessions: GuestSessions,
        pms: PmsCache,
        limiter: RateLimiter,
        events: BoundedEvents,
        *,
        limit: Limit = MESSAGES,
        today: Callable[[], date] = _today,
    ) -> None:
        """`limit` is what one guest may send."""
        self._resolver = resolver
        self._sessions = sessions
        self._pms = pms
        self._limiter = limiter
        self._events = events
        self._limit = limit
        self._today = today

    async def receive(self, principal: Principal, message: IncomingMessage, request_id: str) -> Reply:
        """Note a message, and answer it. A message that is sent again is answered, but not counted, again.

        Raises Invalid for what no guest can send, NotFound for an identifier that nobody at the principal's
        hotel is known by, TooManyRequests, and Unavailable when the database is away; never because of the PMS.
        """
        _check(message, self._today())
        contact = Contact(value=normalise(message.identifier, message.platform), platform=message.platform)
        scope = await self._scope(principal, contact, request_id)
        await self._admit(scope, contact)
        noted = await self._sessions.continue_or_start(scope, contact, _change(message))
        if message.stay is None:
            return _reply(noted.conversation, ReplyKind.NOTED)
        return await self._offer(scope, noted, message.stay)

    async def _scope(self, principal: Principal, contact: Contact, request_id: str) -> TenantScope:
        tenant_id = await self._resolver.resolve(contact.value, contact.platform)
        if tenant_id is None or (principal.kind != "admin" and tenant_id != principal.tenant_id):
            raise NotFound(NOBODY)
        return principal.scope(tenant_id, request_id)

    async def _admit(self, scope: TenantScope, contact: Contact) -> None:
        verdict = await self._limiter.hit(self._limit, contact.platform, contact.value)
        if verdict.allowed:
            return
        event = AuditEvent(
            tenant_id=scope.tenant_id,
            event_type="rate_limit.exceeded",
            severity="warning",
            resource="messages",
            request_id=scope.request_id,
            details={"actor": scope.actor, "limit": verdict.limit, "seconds": self._limit.seconds},
        )
        told = Limit(name="messages-refused", amount=1, seconds=self._limit.seconds)
        await self._events.record(event, told, contact.platform, contact.value)
        raise TooManyRequests("this guest sends too many messages; wait a little", verdict.reset_after)

    async def _offer(self, scope: TenantScope, noted: Noted, asked: StayRequest) -> Reply:
        conversation = noted.conversation
        if noted.pms_hotel is None or not HOTEL.fullmatch(noted.pms_hotel):
            return _reply(conversation, ReplyKind.NO_OFFERS, "this hotel has no reservation system set up")
        nights = Nights(hotel=noted.pms_hotel, arrival=asked.arrival, departure=asked.departure)
        try:
            found = await self._pms.availability(Stay(nights=nights, guests=asked.guests))
        except Unavailable as error:
            await self._note_failure(scope, error)
            return _reply(conversation, ReplyKind.NO_OFFERS, "the hotel's reservation system does not answer just now")
        except NotFound:
            return _reply(conversation, ReplyKind.NO_OFFERS, "the reservation system does not know this hotel")
        except PmsRejectedError as error:
            return _reply(conversation, ReplyKind.NO_OFFERS, str(error))
        return _offers(conversation, found)

    async def _note_failure(self, scope: TenantScope, error: Unavailable) -> None:
        event = AuditEvent(
            tenant_id=scope.tenant_id,
            event_type="pms.failed",
            severity="error",
            resource="pms",
            request_id=scope.request_id,
            details={"operation": "availability", "why": str(error)},
        )
        await self._events.record(event, PMS_FAILURES_TOLD, str(scope.tenant_id))


def _check(message: IncomingMessage, today: date) -> None:
    if message.platform not in PLATFORMS:
        raise Invalid(f"platform must be one of {', '.join(PLATFORMS)}")
    check_text("identifier", message.identifier, LONGEST_IDENTIFIER)
    check_text("text", message.text, LONGEST_TEXT)
    if message.message_id is not None:
        check_text("message_id", message.message_id, LONGEST_MESSAGE_ID)
    if message.stay is not None:
        _check_stay(message.stay, today)


def _check_stay(asked: StayRequest, today: date) -> None:
    check_bookable(asked.arrival, today)
    check_bookable(asked.departure, today)
    check_nights(asked.arrival, asked.departure)
    check_guests(asked.guests)


def _change(message: IncomingMessage) -> Change:
    """What the message makes of its conversation's context."""
    asked = message.stay
    stay = AskedStay(arrival=asked.arrival, departure=asked.departure, guests=asked.guests) if asked else None
    sent = (
        None if message.message_id is None else hashlib.blake2b(message.message_id.encode(), digest_size=8).hexdigest()
    )

    def change(context: Context) -> Context | None:
        return context.after(sent, stay)

    return change


def _reply(conversation: Conversation, kind: ReplyKind, notice: str | None = None) -> Reply:
    return Reply(
        session_id=conversation.id,
        session_version=conversation.version,
        state=conversation.state,
        kind=kind,
        notice=notice,
    )


def _offers(conversation: Conversation, found: Cached[Offers]) -> Reply:
    return replace(
        _reply(conversation, ReplyKind.OFFERS, OLD_OFFERS if found.stale else None),
        offers=found.value,
        stale=found.stale,
        age_seconds=found.age,
    )
