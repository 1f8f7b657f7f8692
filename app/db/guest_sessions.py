"""Conversations with guests: what is kept of one, and the statements that start, continue, list and end them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import msgspec
from sqlalchemy import CursorResult, RowMapping, Select, Text, func, literal, select, text, tuple_, update
from sqlalchemy import cast as sql_cast

from app.core.database import AdminSession, ReadSession, WriteSession
from app.db.ddl import read_sql
from app.db.paging import Position
from app.db.tables import Session

FIND = text(read_sql("find_conversation.sql"))
CONTINUE = text(read_sql("continue_conversation.sql"))
START = text(read_sql("start_conversation.sql"))
MARK_IDLE = text(read_sql("mark_idle.sql"))
SHOWN = (
    Session.id,
    Session.user_id,
    Session.identifier_id,
    Session.platform,
    Session.state,
    Session.version,
    sql_cast(Session.context, Text).label("context"),
    Session.created_at,
    Session.last_message_at,
    Session.closed_at,
)
# Messages that are known again when a channel sends them twice.
REMEMBERED = 10


class AskedStay(msgspec.Struct, frozen=True, kw_only=True):
    """The stay that a guest asked for last."""

    arrival: date
    departure: date
    guests: int


class Context(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a conversation: no texts, and no more than this, however long it goes on.

    `recent` are short hashes of the channel's ids of the last messages.
    """

    messages: int = 0
    stay: AskedStay | None = None
    recent: tuple[str, ...] = ()

    def after(self, message: str | None, stay: AskedStay | None) -> "Context | None":
        """Give the context after one more message, or None when the message is among the last ones already."""
        if message is not None and message in self.recent:
            return None
        recent = self.recent if message is None else (*self.recent, message)[-REMEMBERED:]
        return Context(messages=self.messages + 1, stay=stay or self.stay, recent=recent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """What a guest is known by: an identifier in its one form, and its platform."""

    value: str
    platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A guest's conversation; `version` grows with every change."""

    id: UUID
    user_id: UUID
    identifier_id: UUID
    platform: str
    state: str
    version: int
    context: Context
    created_at: datetime
    last_message_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Of a conversation, what it takes to continue it without reading it."""

    id: UUID
    version: int
    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Who writes, to which hotel by the PMS's code, and the open conversation, if there is one."""

    identifier_id: UUID
    user_id: UUID
    pms_hotel: str | None
    conversation: Conversation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """The conversation that a message went into, and the PMS's code of the hotel that it was sent to."""

    conversation: Conversation
    pms_hotel: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """Which conversations are meant; None means any."""

    state: str | None = None
    user_id: UUID | None = None


async def find(session: WriteSession, contact: Contact) -> Guest | None:
    """The guest and the open conversation, locked; None when the tenant knows nobody by it.

    When there is no open conversation, the caller alone may `start` one until its transaction ends.
    """
    row = (await session.execute(FIND, _key(session, contact))).mappings().one_or_none()
    if row is None:
        return None
    return Guest(
        identifier_id=row["identifier_id"],
        user_id=row["user_id"],
        pms_hotel=row["pms_hotel"],
        conversation=None if row["id"] is None else _open(contact, row),
    )


async def go_on(session: WriteSession, contact: Contact, known: Known, context: Context) -> Noted | None:
    """Note a message; None when the conversation is not as it is known, and nothing is changed."""
    values = {"id": known.id, "version": known.version, "context": _encoded(context)}
    row = (await session.execute(CONTINUE, {**_key(session, contact), **values})).mappings().one_or_none()
    return None if row is None else Noted(conversation=_open(contact, row), pms_hotel=row["pms_hotel"])


async def start(session: WriteSession, contact: Contact, guest: Guest, context: Context) -> Conversation | None:
    """Start a conversation after `find` found none; None when another has meanwhile."""
    values = {
        "tenant_id": session.scope.tenant_id,
        "user_id": guest.user_id,
        "identifier_id": guest.identifier_id,
        "platform": contact.platform,
        "context": _encoded(context),
    }
    row = (await session.execute(START, values)).mappings().one_or_none()
    return None if row is None else _open(contact, row)


async def get(session: ReadSession, key: UUID) -> Conversation | None:
    """A conversation of the tenant."""
    row = (await session.execute(_mine(session).where(Session.id == key))).mappings().one_or_none()
    return None if row is None else _shown(row)


async def listed(
    session: ReadSession, wanted: SessionFilter, position: Position | None, limit: int
) -> Sequence[Conversation]:
    """The tenant's conversations, the newest first, after a position."""
    statement = _mine(session).order_by(Session.created_at.desc(), Session.id.desc()).limit(limit)
    if wanted.state is not None:
        statement = statement.where(Session.state == wanted.state)
    if wanted.user_id is not None:
        statement = statement.where(Session.user_id == wanted.user_id)
    if position is not None:
        here = tuple_(literal(position.timestamp), literal(position.id))
        statement = statement.where(tuple_(Session.created_at, Session.id) < here)
    return [_shown(row) for row in (await session.execute(statement)).mappings()]


async def close(session: WriteSession, key: UUID, version: int) -> Conversation | None:
    """End a conversation; None when it is not open at this version."""
    statement = (
        update(Session)
        .where(
            Session.tenant_id == session.scope.tenant_id,
            Session.id == key,
            Session.version == version,
            Session.state != "closed",
            Session.deleted_at.is_(None),
        )
        .values(state="closed", closed_at=func.clock_timestamp(), version=Session.version + 1)
        .returning(*SHOWN)
    )
    row = (await session.execute(statement)).mappings().one_or_none()
    return None if row is None else _shown(row)


async def mark_idle(session: AdminSession, after: timedelta, batch: int) -> int:
    """Mark up to `batch` conversations of all tenants as idle; how many there were."""
    result = cast("CursorResult[object]", await session.execute(MARK_IDLE, {"after": after, "batch": batch}))
    return result.rowcount


def _key(session: WriteSession, contact: Contact) -> dict[str, object]:
    return {"tenant_id": session.scope.tenant_id, "value": contact.value, "platform": contact.platform}


def _mine(session: ReadSession) -> Select[*tuple[Any, ...]]:
    return select(*SHOWN).where(Session.tenant_id == session.scope.tenant_id, Session.deleted_at.is_(None))


def _open(contact: Contact, row: RowMapping) -> Conversation:
    return Conversation(
        id=row["id"],
        user_id=row["user_id"],
        identifier_id=row["identifier_id"],
        platform=contact.platform,
        state=row["state"],
        version=row["version"],
        context=_decoded(row["context"]),
        created_at=row["created_at"],
        last_message_at=row["last_message_at"],
        closed_at=None,
    )


def _shown(row: RowMapping) -> Conversation:
    return Conversation(**{**row, "context": _decoded(row["context"])})


def _encoded(context: Context) -> str:
    return msgspec.json.encode(context).decode()


def _decoded(stored: str) -> Context:
    """Read a context; one that another program wrote in another form counts as empty."""
    try:
        return msgspec.json.decode(stored, type=Context)
    except msgspec.ValidationError:
        return Context()
