"""Keeps the daily counts of the audit trail near the present, so that pages and totals stay quick.

Nothing depends on when this runs: rows that are not counted yet are counted by whoever asks for a page. A
transaction that writes for long holds the counting back, not the answers.
"""

import asyncio
from datetime import timedelta
from uuid import uuid4

import structlog

from app.core.database import Database
from app.core.errors import AppError
from app.db import audit_counting

ACTOR = "system:audit-rollup"
# How long one run waits for transactions that may still write rows below its mark, and how often it looks.
PATIENCE = timedelta(seconds=10)
PAUSE = 0.05
# Rows of a minute are counted again with each page of their tenant: a few thousand at most.
INTERVAL = timedelta(minutes=1)

log = structlog.get_logger(__name__)


class AuditRollup:
    """Counts new audit rows into their days. Any number of processes may do so at once."""

    def __init__(self, database: Database, patience: timedelta = PATIENCE) -> None:
        self._database = database
        self._patience = patience

    async def run_once(self) -> bool:
        """Count what has arrived; false when a long transaction, or another process at it, left it for later.

        Raises Unavailable when the database is away.
        """
        request = f"rollup-{uuid4().hex}"
        async with self._database.admin(ACTOR, request) as session:
            mark = await audit_counting.draw_mark(session)
        if not await self._wait_until_final(mark, request):
            return False
        async with self._database.admin(ACTOR, request) as session:
            return await audit_counting.count_up_to(session, mark)

    async def run_forever(self, interval: timedelta = INTERVAL) -> None:
        """Count every so often, until cancelled. A database that is away is tried again."""
        while True:
            try:
                await self.run_once()
            except AppError as error:
                log.warning("audit rows could not be counted", error=str(error))
            await asyncio.sleep(interval.total_seconds())

    async def _wait_until_final(self, mark: audit_counting.Mark, request: str) -> bool:
        clock = asyncio.get_running_loop().time
        end = clock() + self._patience.total_seconds()
        while True:
            async with self._database.admin(ACTOR, request) as session:
                if await audit_counting.is_final(session, mark):
                    return True
            if clock() >= end:
                return False
            await asyncio.sleep(PAUSE)
