"""Tenants and their identifiers, as the admin's role keeps them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, func, insert, select, text, update
from sqlalchemy.orm import InstrumentedAttribute

from app.core.database import AdminSession, ReadSession
from app.core.errors import NotFound
from app.db.base import JsonObject
from app.db.ddl import read_sql
from app.db.tables import Tenant, TenantUserIdentifier

Identifier = TenantUserIdentifier
TENANT = (
    Tenant.id,
    Tenant.name,
    Tenant.timezone,
    Tenant.settings,
    Tenant.created_at,
    Tenant.updated_at,
    Tenant.deleted_at,
)
CHANGE = text(read_sql("change_tenant.sql")).columns(*TENANT)
IDENTIFIER = (
    Identifier.id,
    Identifier.tenant_id,
    Identifier.user_id,
    Identifier.platform,
    Identifier.identifier_value.label("value"),
    Identifier.created_at,
    Identifier.deleted_at,
)


class Which(Enum):
    """Which rows are listed."""

    LIVE = "live"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierFilter:
    """Which identifiers are meant: those of one guest, or of all."""

    which: Which = Which.LIVE
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantInfo:
    """A hotel."""

    id: UUID
    name: str
    timezone: str
    settings: JsonObject
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierInfo:
    """What a guest of a hotel is known by."""

    id: UUID
    tenant_id: UUID
    user_id: UUID
    platform: str
    value: str
    created_at: datetime
    deleted_at: datetime | None


async def require(session: AdminSession, key: UUID) -> None:
    """Raise NotFound when there is no such tenant, or it is deleted."""
    if await session.scalar(select(Tenant.id).where(Tenant.id == key, Tenant.deleted_at.is_(None))) is None:
        raise _no_tenant()


async def pms_hotel(session: ReadSession) -> str | None:
    """What the PMS calls the session's hotel; None where that is not set. Raises NotFound when the hotel is gone."""
    mine = select(Tenant.settings["pms_hotel"].astext).where(
        Tenant.id == session.scope.tenant_id, Tenant.deleted_at.is_(None)
    )
    row = (await session.execute(mine)).one_or_none()
    if row is None:
        raise _no_tenant()
    code: str | None = row[0]
    return code


async def add(session: AdminSession, name: str, timezone: str, settings: JsonObject) -> TenantInfo:
    """Write a tenant."""
    values = {"name": name, "timezone": timezone, "settings": settings}
    return _tenant((await session.execute(insert(Tenant).values(values).returning(*TENANT))).mappings().one())


async def get(session: AdminSession, key: UUID) -> TenantInfo:
    """A tenant that is not deleted. Raises NotFound."""
    return _tenant(
        (await session.execute(select(*TENANT).where(Tenant.id == key, Tenant.deleted_at.is_(None))))
        .mappings()
        .one_or_none()
    )


async def listed(session: AdminSession, which: Which, before: UUID | None, limit: int) -> Sequence[TenantInfo]:
    """Tenants, the newest first, after a given one."""
    statement = select(*TENANT).where(_state(Tenant.deleted_at, which)).order_by(Tenant.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(Tenant.id < before)
    return [_tenant(row) for row in (await session.execute(statement)).mappings()]


async def change(
    session: AdminSession, key: UUID, name: str | None, timezone: str | None, put: JsonObject, removed: Sequence[str]
) -> TenantInfo:
    """Set a tenant's columns that are not None, and put and remove some of its settings. Raises NotFound."""
    values = {"id": key, "name": name, "timezone": timezone, "put": json.dumps(put), "removed": list(removed)}
    return _tenant((await session.execute(CHANGE, values)).mappings().one_or_none())


async def soft_delete(session: AdminSession, key: UUID) -> TenantInfo:
    """Mark a tenant as deleted. Raises NotFound."""
    return await _update_tenant(session, key, Which.LIVE, {"deleted_at": func.clock_timestamp()})


async def restore(session: AdminSession, key: UUID) -> TenantInfo:
    """Make a deleted tenant live again. Raises NotFound."""
    return await _update_tenant(session, key, Which.DELETED, {"deleted_at": None})


async def add_identifier(
    session: AdminSession, tenant_id: UUID, user_id: UUID, platform: str, normal: str
) -> IdentifierInfo:
    """Write an identifier. Raises Conflict when it belongs to someone, of whichever tenant."""
    values = {"tenant_id": tenant_id, "user_id": user_id, "platform": platform, "identifier_value": normal}
    return _identifier(
        (await session.execute(insert(Identifier).values(values).returning(*IDENTIFIER))).mappings().one()
    )


async def identifiers(
    session: AdminSession, tenant_id: UUID, wanted: IdentifierFilter, before: UUID | None, limit: int
) -> Sequence[IdentifierInfo]:
    """A tenant's identifiers, the newest first, after a given one."""
    statement = select(*IDENTIFIER).where(Identifier.tenant_id == tenant_id)
    statement = statement.where(_state(Identifier.deleted_at, wanted.which))
    if wanted.user_id is not None:
        statement = statement.where(Identifier.user_id == wanted.user_id)
    if before is not None:
        statement = statement.where(Identifier.id < before)
    rows = await session.execute(statement.order_by(Identifier.id.desc()).limit(limit))
    return [_identifier(row) for row in rows.mappings()]


async def remove_identifier(session: AdminSession, tenant_id: UUID, key: UUID) -> IdentifierInfo:
    """Mark an identifier as removed. Raises NotFound."""
    return await _update_identifier(session, tenant_id, key, Which.LIVE, func.clock_timestamp())


async def restore_identifier(session: AdminSession, tenant_id: UUID, key: UUID) -> IdentifierInfo:
    """Make a removed identifier live again. Raises NotFound, and Conflict when it belongs to someone by now."""
    return await _update_identifier(session, tenant_id, key, Which.DELETED, None)


async def _update_tenant(session: AdminSession, key: UUID, which: Which, values: dict[str, Any]) -> TenantInfo:
    statement = update(Tenant).where(Tenant.id == key, _state(Tenant.deleted_at, which)).values(values)
    return _tenant((await session.execute(statement.returning(*TENANT))).mappings().one_or_none())


async def _update_identifier(
    session: AdminSession, tenant_id: UUID, key: UUID, which: Which, moment: ColumnElement[datetime] | None
) -> IdentifierInfo:
    statement = (
        update(Identifier)
        .where(Identifier.tenant_id == tenant_id, Identifier.id == key, _state(Identifier.deleted_at, which))
        .values(deleted_at=moment)
        .returning(*IDENTIFIER)
    )
    return _identifier((await session.execute(statement)).mappings().one_or_none())


def _state(deleted_at: InstrumentedAttribute[datetime | None], which: Which) -> ColumnElement[bool]:
    return deleted_at.is_(None) if which is Which.LIVE else deleted_at.is_not(None)


def _tenant(row: RowMapping | None) -> TenantInfo:
    if row is None:
        raise _no_tenant()
    return TenantInfo(**row)


def _identifier(row: RowMapping | None) -> IdentifierInfo:
    if row is None:
        raise NotFound("there is no such identifier")
    return IdentifierInfo(**row)


def _no_tenant() -> NotFound:
    return NotFound("there is no such tenant")
