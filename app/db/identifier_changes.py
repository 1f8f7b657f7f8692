"""Hears of changed identifiers as they are committed, over a connection of its own."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn, Protocol

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.database_errors import translated_checkout
from app.core.errors import AppError
from app.db.ddl import read_sql

logger = logging.getLogger(__name__)

CHANNEL = "tenant_user_identifiers"
BEGIN = read_sql("identifier_changes_begin.sql")
# A connection whose other end is gone without a word is found out after at most twice this many seconds.
HEARTBEAT_SECONDS = 5.0
HEARTBEAT = "SELECT 1"
CLOSE_SECONDS = 2.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0


class Listener(Protocol):
    """Who is told. The calls come from the event loop, in the order of the commits."""

    def connected(self, begin: int) -> None:
        """Changes are heard from now on; those not heard are of transactions numbered below `begin`."""

    def changed(self, fingerprint: bytes, transaction: int) -> None:
        """The identifier that this is the fingerprint of may name another tenant."""

    def disconnected(self) -> None:
        """From now on changes are missed."""


async def listen(engine: AsyncEngine, listener: Listener, heartbeat: float = HEARTBEAT_SECONDS) -> NoReturn:
    """Tell the listener of every change until cancelled; connects again, after growing pauses, when it must.

    The engine's connections must lead to PostgreSQL itself: PgBouncer in transaction mode delivers nothing.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            async with _connection(engine) as connection:
                pause = FIRST_PAUSE
                await _hear(connection, listener, heartbeat)
        except (AppError, DBAPIError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            logger.warning("changes of identifiers are not heard, caches are not used: %s", type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


@asynccontextmanager
async def _connection(engine: AsyncEngine) -> AsyncIterator[asyncpg.Connection]:
    """Make a connection as the engine does, and take it out of its pool, where others would wait for it."""
    with translated_checkout():
        pooled = await engine.connect()
    try:
        raw: asyncpg.Connection = (await pooled.get_raw_connection()).driver_connection
        await pooled.run_sync(Connection.detach)
        try:
            yield raw
        finally:
            await raw.close(timeout=CLOSE_SECONDS)
    finally:
        await pooled.close()


async def _hear(connection: asyncpg.Connection, listener: Listener, heartbeat: float) -> None:
    """Tell the listener of changes until the connection ends. Raises an error of the driver when it does not answer."""
    lost = asyncio.Event()

    def gone(_: object) -> None:
        # At once, and not when this task comes to run: until then answers would be taken from the caches.
        listener.disconnected()
        lost.set()

    def note(_connection: object, _pid: int, _channel: str, payload: str) -> None:
        fingerprint, _, transaction = payload.partition(" ")
        listener.changed(bytes.fromhex(fingerprint), int(transaction))

    connection.add_termination_listener(gone)
    try:
        await connection.add_listener(CHANNEL, note)
        listener.connected(await connection.fetchval(BEGIN))
        while not await _ends_within(heartbeat, lost):
            await connection.execute(HEARTBEAT, timeout=heartbeat)
    finally:
        listener.disconnected()
        connection.remove_termination_listener(gone)


async def _ends_within(seconds: float, lost: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await lost.wait()
    except TimeoutError:
        return False
