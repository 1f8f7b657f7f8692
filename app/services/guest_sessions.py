"""Conversations with guests: a message continues one or starts one, whoever else is writing at the same time."""

from collections.abc import Callable
from datetime import timedelta
from typing import Literal
from uuid import UUID

import msgspec

from app.core.database import Database, WriteSession
from app.core.errors import Conflict, Invalid, NotFound
from app.core.metrics import CacheMetrics, Lookup
from app.core.redis import Family, Keys, RedisClient, RedisUnavailableError
from app.core.tenancy import TenantScope
from app.db import guest_sessions
from app.db.guest_sessions import Contact, Context, Conversation, Known, Noted, SessionFilter
from app.db.paging import Position
from app.db.tables import SESSION_STATES
from app.services.listing import Page, page_of, position_of

# A conversation that has rested for so long is marked idle, and no longer hot.
IDLE_AFTER = timedelta(minutes=30)
# Rows that one transaction of the timer locks.
MARKED_AT_ONCE = 500
KEPT_SECONDS = round(IDLE_AFTER.total_seconds())
# One more round is needed when another starts the conversation, or the guest is gone, between two statements of ours.
ROUNDS = 5
ANY_SESSION = SessionFilter()

# The same words, whether nobody is known so or only somebody at another hotel.
NOBODY = "nobody is known by this identifier"

Change = Callable[[Context], Context | None]
"""What a message makes of a conversation's context; None when it was noted before."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept in Redis."""

    form: Literal[1] = 1
    id: UUID
    version: int
    context: Context


class GuestSessions:
    """The conversations of all tenants. A stale answer of the cache costs one statement more, and nothing else."""

    def __init__(self, database: Database, redis: RedisClient, keys: Keys, metrics: CacheMetrics) -> None:
        self._database = database
        self._redis = redis
        self._keys = keys
        self._metrics = metrics
        self._entries = msgspec.json.Decoder(_Entry)

    async def continue_or_start(self, scope: TenantScope, contact: Contact, change: Change) -> Noted:
        """Note a message in the guest's open conversation, or in a new one; committed when this returns.

        Raises NotFound when nobody at this tenant is known so, or there is no such tenant any more.
        """
        key = self._keys.make(Family.SESSION, scope.tenant_id, private=(contact.platform, contact.value))
        known = await self._look(key)
        for _ in range(ROUNDS):
            async with self._database.unit_of_work(scope) as session:
                noted = await _go_on(session, contact, change, known) or await _note(session, contact, change)
            if noted is not None:
                await self._keep(key, noted.conversation)
                return noted
            known = None
        raise Conflict("the conversation changes too quickly; try again")

    async def get(self, scope: TenantScope, session_id: UUID) -> Conversation:
        """One conversation. Raises NotFound for one that is not this tenant's as for one that is not."""
        async with self._database.read(scope) as session:
            return _found(await guest_sessions.get(session, session_id))

    async def listed(
        self,
        scope: TenantScope,
        wanted: SessionFilter = ANY_SESSION,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Conversation]:
        """The tenant's conversations, the newest first. Raises Invalid for a wrong state, cursor or limit."""
        if wanted.state is not None and wanted.state not in SESSION_STATES:
            raise Invalid(f"state must be one of {', '.join(SESSION_STATES)}")
        listing = f"sessions {scope.tenant_id} {wanted}"
        position = position_of(cursor, listing, limit)
        async with self._database.read(scope) as session:
            found = await guest_sessions.listed(session, wanted, position, limit + 1)
        return page_of(found, limit, listing, lambda one: Position(one.created_at, one.id))

    async def close(self, scope: TenantScope, session_id: UUID, expected_version: int) -> Conversation:
        """End a conversation; the guest's next message starts a new one.

        Raises NotFound, and Conflict when it is not at this version any more, or closed already.
        """
        async with self._database.unit_of_work(scope) as session:
            closed = await guest_sessions.close(session, session_id, expected_version)
            if closed is not None:
                return closed
            there = _found(await guest_sessions.get(session, session_id))
        if there.state == "closed":
            raise Conflict("the conversation is closed already")
        raise Conflict("the conversation has changed meanwhile; look again")

    async def _look(self, key: str) -> Known | None:
        """What the cache knows of the open conversation."""
        try:
            stored = await self._redis.run(lambda redis: redis.get(key))
        except RedisUnavailableError:
            self._metrics.count(Family.SESSION, Lookup.AWAY)
            return None
        if stored is None:
            self._metrics.count(Family.SESSION, Lookup.MISS)
            return None
        try:
            entry = self._entries.decode(stored)
        except (msgspec.DecodeError, UnicodeDecodeError):  # another version's, or not ours at all
            self._metrics.count(Family.SESSION, Lookup.CORRUPT)
            return None
        self._metrics.count(Family.SESSION, Lookup.HIT)
        return Known(id=entry.id, version=entry.version, context=entry.context)

    async def _keep(self, key: str, done: Conversation) -> None:
        entry = msgspec.json.encode(_Entry(id=done.id, version=done.version, context=done.context))
        await self._redis.run_or(None, lambda redis: redis.set(key, entry, ex=KEPT_SECONDS))


async def mark_idle(database: Database, actor: str, request_id: str, after: timedelta = IDLE_AFTER) -> int:
    """Mark every tenant's conversations as idle that had no message for `after`; how many there were."""
    total = 0
    while True:
        async with database.admin(actor, request_id) as session:
            marked = await guest_sessions.mark_idle(session, after, MARKED_AT_ONCE)
        total += marked
        if marked < MARKED_AT_ONCE:
            return total


async def _go_on(session: WriteSession, contact: Contact, change: Change, known: Known | None) -> Noted | None:
    """Note the message in the conversation as the cache knows it; None when that is not how it is."""
    context = change(known.context) if known else None
    return await guest_sessions.go_on(session, contact, known, context) if known and context else None


async def _note(session: WriteSession, contact: Contact, change: Change) -> Noted | None:
    """Read the conversation, which locks it, and note the message there; start one where there is none.

    None when another has started one meanwhile, or the guest is gone. Not tried again in this transaction: who
    waits for a conversation must not keep others from starting one, whose turn may come first.
    """
    guest = await guest_sessions.find(session, contact)
    if guest is None:
        raise NotFound(NOBODY)
    current = guest.conversation
    context = change(current.context if current else Context())
    if current is not None and context is not None:
        known = Known(id=current.id, version=current.version, context=current.context)
        return await guest_sessions.go_on(session, contact, known, context)
    # Without a context, the channel has sent the message again.
    written = await guest_sessions.start(session, contact, guest, context) if context else current
    return None if written is None else Noted(conversation=written, pms_hotel=guest.pms_hotel)


def _found(conversation: Conversation | None) -> Conversation:
    if conversation is None:
        raise NotFound("there is no such conversation")
    return conversation
