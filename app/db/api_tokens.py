"""Tokens of tenants: asked for by id before any tenant is known, made and taken back by the admin's role."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database import AdminSession
from app.db.ddl import read_sql
from app.db.single_read import first_row
from app.db.token_table import ApiToken

ASK = read_sql("ask_api_token.sql")
SHOWN = (ApiToken.id, ApiToken.tenant_id, ApiToken.name, ApiToken.created_at, ApiToken.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodToken:
    """A token that is good now: whose, what its secret hashes to, and for how many seconds more (None: no end)."""

    tenant_id: UUID
    secret_hash: bytes
    expires_in: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenInfo:
    """What may be shown of a token."""

    id: UUID
    tenant_id: UUID
    name: str
    created_at: datetime
    expires_at: datetime | None


async def find_good(engine: AsyncEngine, key: UUID) -> GoodToken | None:
    """Ask the database for a token that is neither revoked nor expired. Raises Unavailable."""
    row = await first_row(engine, ASK, (key,))
    if row is None:
        return None
    return GoodToken(tenant_id=row.tenant_id, secret_hash=row.secret_hash, expires_in=row.expires_in)


async def add(
    session: AdminSession, tenant_id: UUID, name: str, secret_hash: bytes, expires_at: datetime | None
) -> TokenInfo:
    """Write a token."""
    values = {"tenant_id": tenant_id, "name": name, "secret_hash": secret_hash, "expires_at": expires_at}
    statement = insert(ApiToken).values(values).returning(*SHOWN)
    return TokenInfo(**(await session.execute(statement)).mappings().one())


async def listed(session: AdminSession, tenant_id: UUID, before: UUID | None, limit: int) -> Sequence[TokenInfo]:
    """A tenant's tokens that are not revoked, newest first, after a given one."""
    statement = select(*SHOWN).where(ApiToken.tenant_id == tenant_id, ApiToken.deleted_at.is_(None))
    if before is not None:
        statement = statement.where(ApiToken.id < before)
    rows = await session.execute(statement.order_by(ApiToken.id.desc()).limit(limit))
    return [TokenInfo(**row) for row in rows.mappings()]


async def revoke(session: AdminSession, tenant_id: UUID, key: UUID) -> bool:
    """Take a token back; false when there is none that is not taken back already."""
    statement = (
        update(ApiToken)
        .where(ApiToken.tenant_id == tenant_id, ApiToken.id == key, ApiToken.deleted_at.is_(None))
        .values(deleted_at=func.clock_timestamp())
        .returning(ApiToken.id)
    )
    return (await session.execute(statement)).one_or_none() is not None
