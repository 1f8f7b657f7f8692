"""Carries events to the audit trail: gathered into batches, spooled while PostgreSQL is away, never dropped.

An event is safe once its batch is committed or spooled, a fraction of a second after it was handed in; a
process that is killed in that moment loses what it had not carried yet. What must not be lost so (changes of
rows) is written by the database's trigger in the change's own transaction, not here.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.database import Database
from app.core.errors import Conflict, Invalid, Unavailable
from app.db import audit_writing
from app.db.audit_writing import AuditRow
from app.services.security.events import AuditEvent
from app.services.security.spool import Spool, SpoolFull

ACTOR = "system:audit-outbox"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxLimits:
    """How much is gathered, and for how long. Times in seconds."""

    # Two seconds of a very busy process; about 10 MB.
    capacity: int = 10_000
    # Beyond some hundred rows a statement gets no cheaper by the row.
    batch: int = 500
    linger: float = 0.25
    # How long PostgreSQL is left alone after it was away.
    retry: float = 1.0


@dataclass(slots=True)
class OutboxFigures:
    """Events since the start: how many went where."""

    written: int = 0
    spooled: int = 0
    replayed: int = 0
    rejected: int = 0


class AuditOutbox:
    """The queue of one process. `start()` it in the running loop, and `close()` it before the pools close."""

    def __init__(self, database: Database, spool: Spool, limits: OutboxLimits | None = None) -> None:
        self.figures = OutboxFigures()
        self._database = database
        self._spool = spool
        self._limits = limits or OutboxLimits()
        self._queue: asyncio.Queue[AuditRow] = asyncio.Queue(self._limits.capacity)
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._away_until = 0.0

    def start(self) -> None:
        """Begin to carry, or begin again after an error. What the spool holds is played back first."""
        if self._closing:
            return
        if self._task is not None and self._task.done():
            log.error("the audit outbox ended and is begun again", exc_info=self._task.exception())
            self._task = None
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="audit-outbox")

    async def put(self, event: AuditEvent) -> None:
        """Hand an event in. When the queue is full it is spooled before this returns.

        Raises Invalid when it cannot be stored, Unavailable when it can be kept nowhere: the caller knows
        then that the trail will not have it.
        """
        row = event.to_row()
        if self._closing:
            raise Unavailable("the audit trail is closing")
        try:
            self._queue.put_nowait(row)
        except asyncio.QueueFull:
            await self._keep([row])

    async def flush(self, timeout: float) -> None:
        """Wait until everything handed in so far is written or spooled. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            await self._queue.join()

    async def close(self, timeout: float) -> None:
        """Take no more, and carry what is there; what cannot be written in time is spooled."""
        self._closing = True
        if self._task is None:
            self._spool_rest([])
            return
        with suppress(TimeoutError):
            await self.flush(timeout)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._task = None

    async def _run(self) -> None:
        batch: list[AuditRow] = []
        try:
            while True:
                await self._replay()
                await self._gather(batch)
                await self._carry(batch)
                for _ in batch:
                    self._queue.task_done()
                batch.clear()
        finally:
            self._spool_rest(batch)

    async def _gather(self, batch: list[AuditRow]) -> None:
        """Wait for events, no longer than until the spool may be tried again."""
        clock = asyncio.get_running_loop().time
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.retry):
                batch.append(await self._queue.get())
        end = clock() + self._limits.linger
        while batch and len(batch) < self._limits.batch and clock() < end:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    batch.append(await self._queue.get())

    async def _carry(self, rows: Sequence[AuditRow]) -> None:
        """Write the rows, or spool them; while neither can be done, wait, so that the queue fills and callers know."""
        while rows:
            try:
                self.figures.written += await self._write(rows)
            except Unavailable:
                try:
                    await self._keep(rows)
                except SpoolFull as error:
                    log.warning("audit events can be kept nowhere, waiting", error=str(error), rows=len(rows))
                    await asyncio.sleep(self._limits.retry)
                    continue
            return

    async def _write(self, rows: Sequence[AuditRow]) -> int:
        """Write the rows, putting aside what PostgreSQL refuses; how many were written. Raises Unavailable."""
        clock = asyncio.get_running_loop().time
        if clock() < self._away_until:
            raise Unavailable("the database was away a moment ago")
        try:
            return await self._insert(rows)
        except (SQLAlchemyError, OSError, Unavailable) as error:
            log.warning("audit events could not be written", error=type(error).__name__, rows=len(rows))
            self._away_until = clock() + self._limits.retry
            raise Unavailable("the audit trail cannot be written") from error

    async def _insert(self, rows: Sequence[AuditRow]) -> int:
        try:
            async with self._database.admin(ACTOR, f"outbox-{uuid4().hex}") as session:
                await audit_writing.insert(session, rows)
        except (Conflict, Invalid) as error:
            if len(rows) == 1:
                await self._reject(rows, str(error))
                return 0
            # One row that is refused takes its batch along: halves find it in few statements.
            half = len(rows) // 2
            return await self._insert(rows[:half]) + await self._insert(rows[half:])
        return len(rows)

    async def _reject(self, rows: Sequence[AuditRow], why: str) -> None:
        await asyncio.to_thread(self._spool.reject_rows, rows)
        self.figures.rejected += len(rows)
        log.error("an audit event was refused and put aside", why=why, file=self._spool.rejected.name)

    async def _keep(self, rows: Sequence[AuditRow]) -> None:
        await asyncio.to_thread(self._spool.add, rows)
        self.figures.spooled += len(rows)

    async def _replay(self) -> None:
        """Write what the spool holds, from its beginning, and empty it when all is written."""
        if not self._spool.size():
            return
        with self._spool.player() as mine, suppress(Unavailable):
            if mine:
                await self._play()

    async def _play(self) -> None:
        start, damaged = 0, list[bytes]()
        while True:
            chunk = await asyncio.to_thread(self._spool.read, start, self._limits.batch)
            if chunk.rows:
                self.figures.replayed += await self._write(chunk.rows)
            damaged += chunk.damaged
            if chunk.end == start:
                if damaged:
                    await asyncio.to_thread(self._spool.reject, damaged)
                    self.figures.rejected += len(damaged)
                    log.error("lines of the audit spool are damaged and put aside", lines=len(damaged))
                    damaged = []
                if await asyncio.to_thread(self._spool.clear, start):
                    return
            start = chunk.end

    def _spool_rest(self, batch: Sequence[AuditRow]) -> None:
        """Spool what was not carried: the batch in hand, which may be written already, and the queue.

        Raises SpoolFull when these events are lost: whoever closes the outbox hears of it.
        """
        rest = list(batch)
        while not self._queue.empty():
            rest.append(self._queue.get_nowait())
        if rest:
            self._spool.add(rest)
            self.figures.spooled += len(rest)
