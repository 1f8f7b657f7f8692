"""Reads which tenant an identifier belongs to, before any tenant is known."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.db.ddl import read_sql
from app.db.single_read import first_row

FIND = read_sql("find_tenant.sql")


@dataclass(frozen=True, slots=True)
class Found:
    """Which tenant an identifier belongs to, if any.

    The answer has seen what every transaction numbered below `seen` did.
    """

    tenant_id: UUID | None
    seen: int


async def find_tenant(engine: AsyncEngine, normal: str, platform: str) -> Found:
    """Ask the database for a normal identifier's tenant. Raises Unavailable."""
    row = await first_row(engine, FIND, (normal, platform))
    assert row is not None  # noqa: S101 - for the type checker: a SELECT without FROM
    return Found(row.tenant_id, row.seen)
