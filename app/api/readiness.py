"""Which of the parts that the service needs answer just now."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError

from app.api.parts import Parts
from app.core.errors import AppError
from app.db.single_read import first_row
from app.services.local_breaker import State

# Whoever asks for readiness gives up after a few seconds himself.
WITHIN = 2.0
# Anybody may ask, so the servers are not asked each time.
KEPT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PartState:
    """Whether a part answers; `why` not, in words that are safe to show."""

    status: Literal["ok", "down"] = "ok"
    why: str | None = None


OK = PartState()


def down(why: str) -> PartState:
    """The state of a part that does not answer."""
    return PartState("down", why)


class Readiness:
    """Asks all parts at once, and keeps the answers for a moment."""

    def __init__(self, parts: Parts, clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._clock = clock
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._states: dict[str, PartState] = {}

    async def states(self) -> dict[str, PartState]:
        """The state of each part."""
        async with self._asking:
            if self._clock() - self._asked_at >= KEPT_SECONDS:
                self._states = await self._ask()
                self._asked_at = self._clock()
            return self._states

    async def _ask(self) -> dict[str, PartState]:
        postgresql, redis, pms = await asyncio.gather(
            _in_time(self._postgresql()), _in_time(self._redis()), _in_time(self._pms())
        )
        return {
            "postgresql": postgresql,
            "redis": redis,
            "pms": pms,
            "identifiers": self._identifiers(),
            "audit_spool": self._audit_spool(),
            "background": self._background(),
        }

    async def _postgresql(self) -> PartState:
        try:
            await first_row(self._parts.database.hot, "SELECT 1")
        except AppError as error:
            return down(str(error))
        except SQLAlchemyError:
            return down("the database refuses the service")
        return OK

    async def _redis(self) -> PartState:
        return OK if await self._parts.redis.ping() else down("no answer; the service goes on without it, slower")

    async def _pms(self) -> PartState:
        """As its circuit breaker was seen last; and, when that is closed, whether something listens there."""
        if self._parts.pms_state is not State.CLOSED:
            return down("it failed of late, and is left alone or tried out")
        address = self._parts.settings.pms_base_url
        try:
            _, writer = await asyncio.open_connection(address.host, address.port)
        except OSError:
            return down("it cannot be reached")
        writer.close()
        return OK

    def _identifiers(self) -> PartState:
        return OK if self._parts.resolver.live else down("changes are not heard; each identifier is read anew")

    def _audit_spool(self) -> PartState:
        waiting = self._parts.spool.size()
        return down(f"{waiting} bytes of events wait to be written") if waiting else OK

    def _background(self) -> PartState:
        failed = [f"{name} ({why})" for name, why in sorted(self._parts.background.states.items()) if why]
        return down(f"begun again after it ended: {', '.join(failed)}") if failed else OK


async def _in_time(asked: Awaitable[PartState]) -> PartState:
    try:
        async with asyncio.timeout(WITHIN):
            return await asked
    except TimeoutError:
        return down(f"no answer within {WITHIN:.0f} s")
