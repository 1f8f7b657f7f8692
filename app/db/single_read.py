"""Single reads without a transaction, before any tenant is known, by the shortest way through SQLAlchemy's pool."""

from typing import Any

from sqlalchemy import Engine, Row
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from app.core.database_errors import translated_checkout


async def first_row(engine: AsyncEngine, sql: str, parameters: tuple[Any, ...] = ()) -> Row[Any] | None:
    """Give the first row of the driver's own SQL, None when there is none. Raises Unavailable.

    AsyncConnection would change into a greenlet and back for each of connect, execute and close: as much time again
    as the driver takes.
    """
    return await greenlet_spawn(_first_row, engine.sync_engine, sql, parameters)


def _first_row(engine: Engine, sql: str, parameters: tuple[Any, ...]) -> Row[Any] | None:
    with translated_checkout():
        connection = engine.connect()
    with connection:
        return connection.exec_driver_sql(sql, parameters).first()
