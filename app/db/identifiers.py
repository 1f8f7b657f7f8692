"""Reads which tenant an identifier belongs to, before any tenant is known."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from app.core.database_errors import translated_checkout
from app.db.ddl import read_sql

FIND = read_sql("find_tenant.sql")  # the driver's own text: half the way through SQLAlchemy


@dataclass(frozen=True, slots=True)
class Found:
    """Which tenant an identifier belongs to, if any.

    The answer has seen what every transaction numbered below `seen` did.
    """

    tenant_id: UUID | None
    seen: int


@asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Give a connection without a tenant. Raises Unavailable when none is had.

    The connection's own `async with` closes it in a task of its own, which takes as long as the read.
    """
    with translated_checkout():
        connection = await engine.connect()
    try:
        yield connection
    finally:
        await connection.close()


async def find_tenant(engine: AsyncEngine, normal: str, platform: str) -> Found:
    """Ask the database for a normal identifier's tenant. Raises Unavailable."""
    async with connected(engine) as connection:
        row = (await connection.exec_driver_sql(FIND, (normal, platform))).mappings().one()
    return Found(row["tenant_id"], row["seen"])
