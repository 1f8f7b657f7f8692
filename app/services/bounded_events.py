"""Events of the audit trail that a caller could cause without end: of each kind and subject, so many in a time."""

import structlog

from app.core.errors import Unavailable
from app.services.rate_limit import Limit, RateLimiter
from app.services.security.events import AuditEvent
from app.services.security.outbox import AuditOutbox

log = structlog.get_logger(__name__)


class BoundedEvents:
    """Hands events to the outbox, and leaves out those beyond a limit, which all processes share."""

    def __init__(self, outbox: AuditOutbox, limiter: RateLimiter) -> None:
        self._outbox = outbox
        self._limiter = limiter

    async def record(self, event: AuditEvent, limit: Limit, *subject: str) -> None:
        """Record an event, unless there were as many of the subject's as the limit allows.

        When it can be kept nowhere that is logged: what it tells of has been refused or has failed already.
        """
        if not (await self._limiter.hit(limit, *subject)).allowed:
            return
        try:
            await self._outbox.put(event)
        except Unavailable as error:
            log.warning("an event could not be recorded", event_type=event.event_type, error=str(error))
