"""The parts of one process of the service, put together; and the work that goes on beside its requests."""

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from uuid import uuid4

import stamina
import structlog
from prometheus_client import CollectorRegistry
from stamina.instrumentation import RetryDetails

from app.api.audit_metrics import AuditMetrics
from app.api.background import Background, every
from app.api.exposition import Exposition
from app.api.pools import Pools
from app.api.settings import ServiceSettings
from app.api.traffic import HttpMetrics
from app.core.database import Database
from app.core.metrics import CacheMetrics, PmsMetrics
from app.core.redis import Family, Keys, RedisClient
from app.services.audit_rollup import AuditRollup
from app.services.bounded_events import BoundedEvents
from app.services.circuit_breaker import CircuitBreaker
from app.services.guest_sessions import GuestSessions, mark_idle
from app.services.hotel_rates import HotelRates
from app.services.leases import Leases, clean_leases
from app.services.local_breaker import BreakerPolicy, State
from app.services.messages import Messages
from app.services.pms import PmsClient
from app.services.pms_cache import PmsCache
from app.services.pms_types import PmsFailedError
from app.services.rate_limit import RateLimiter
from app.services.room_holds import RoomHolds
from app.services.security.outbox import AuditOutbox
from app.services.security.sealer import Sealer
from app.services.security.spool import Spool
from app.services.tenant_resolver import TenantResolver
from app.services.tenants import Tenants
from app.services.tokens import TokenDesk, Tokens

log = structlog.get_logger(__name__)

OUTBOX_CLOSES_WITHIN = 10.0
# Gauges that change with time alone are set so often; a scrape sets those of its own process itself.
REFRESHED_EVERY = timedelta(seconds=1)
LEASES_CLEANED_EVERY = timedelta(minutes=1)
IDLE_MARKED_EVERY = timedelta(minutes=1)
BREAKER = BreakerPolicy()
HIDDEN_FOLDER = 0o700


class Parts:
    """Made in the running event loop; nothing connects before it is needed."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        registry = CollectorRegistry()
        self.http = HttpMetrics(registry)
        self.exposition = Exposition(registry)
        self.database = Database(settings)
        self.redis = RedisClient(settings)
        self.keys = Keys(settings.redis_key_secret)
        self.pools = Pools(registry, self.database, settings, self.keys)
        self.cache_metrics = CacheMetrics(registry)
        self.pms_state = State.CLOSED
        self._pms_metrics = PmsMetrics(registry)
        self.pms = PmsClient(settings, self._breaker(), self._pms_metrics)
        self.pms_cache = PmsCache(self.pms, self.redis, self.keys, self.cache_metrics)
        self.rates = HotelRates(self.database, self.pms_cache)
        self.rate_limiter = RateLimiter(self.redis, self.keys)
        self.resolver = TenantResolver(self.database.hot, self.redis, self.keys, self.cache_metrics)
        self.tokens = Tokens(self.database.hot, settings.admin_token)
        self.token_desk = TokenDesk(self.database)
        self.tenants = Tenants(self.database)
        self.sessions = GuestSessions(self.database, self.redis, self.keys, self.cache_metrics)
        self.leases = Leases(self.database, f"{socket.gethostname()}:{os.getpid()}")
        self.room_holds = RoomHolds(self.database, self.leases)
        self.spool = make_spool(settings)
        self.outbox = AuditOutbox(self.database, self.spool)
        self.audit = AuditMetrics(registry, self.outbox, self.spool)
        self.events = BoundedEvents(self.outbox, self.rate_limiter)
        self.messages = Messages(self.resolver, self.sessions, self.pms_cache, self.rate_limiter, self.events)
        self.background = Background()
        direct = settings.direct
        self._direct = Database(direct) if direct is not None and direct is not settings else None

    def start(self) -> None:
        """Begin the work that goes on beside the requests. Nothing of it needs a server to be there."""
        self.outbox.start()
        self.background.start("metrics", every(REFRESHED_EVERY, self._refresh))
        followed = self._direct or self.database
        if self.settings.direct is None:
            log.warning("POSTGRES_DIRECT is not set: changes of identifiers are not heard, each is read anew")
        else:
            self.background.start("identifiers", partial(self.resolver.follow_changes, followed.engine))
        if self.settings.postgres_admin_user is None:
            log.warning("POSTGRES_ADMIN_USER is not set: audit events are spooled, and nothing is counted or sealed")
            return
        self.background.start("audit-rollup", AuditRollup(self.database).run_forever)
        self.background.start("audit-sealer", Sealer(self.database).run_forever)
        self.background.start("leases", every(LEASES_CLEANED_EVERY, self._clean_leases))
        self.background.start("idle-sessions", every(IDLE_MARKED_EVERY, self._mark_idle))

    async def close(self) -> None:
        """End the work, write or spool the audit events in hand, and close all connections, whatever fails of it."""
        async with AsyncExitStack() as then:
            then.push_async_callback(self.database.close)
            if self._direct is not None:
                then.push_async_callback(self._direct.close)
            then.push_async_callback(self.redis.aclose)
            then.push_async_callback(self.pms.aclose)
            then.push_async_callback(self.pms_cache.aclose)
            then.push_async_callback(self.outbox.close, OUTBOX_CLOSES_WITHIN)
            await self.background.close()

    async def metrics_page(self, accept: str) -> tuple[bytes, str]:
        """The page for Prometheus and its media type."""
        await self._refresh()
        return await asyncio.to_thread(self.exposition.page, accept)

    def _breaker(self) -> CircuitBreaker:
        name = self.settings.pms_name
        key = self.keys.make(Family.CIRCUIT_BREAKER, name)
        return CircuitBreaker("the hotel's system", key, self.redis, BREAKER, PmsFailedError, observe=self._saw)

    def _saw(self, state: State) -> None:
        self.pms_state = state
        self._pms_metrics.observe_breaker(self.settings.pms_name, state)

    async def _refresh(self) -> None:
        self.outbox.start()  # again, should it have ended
        await self.pools.refresh()
        self.audit.refresh()

    async def _clean_leases(self) -> None:
        await clean_leases(self.database, "system:lease-cleaner", f"leases-{uuid4().hex}")

    async def _mark_idle(self) -> None:
        await mark_idle(self.database, "system:session-timer", f"idle-{uuid4().hex}")


def make_spool(settings: ServiceSettings) -> Spool:
    """The spool, in a folder for its owner only. Raises OSError when there can be no such folder."""
    settings.audit_spool.parent.mkdir(mode=HIDDEN_FOLDER, parents=True, exist_ok=True)
    return Spool(settings.audit_spool)


def log_retry(details: RetryDetails) -> None:
    """Log a call that is tried again; without its arguments."""
    log.warning("tried again", error=type(details.caused_by).__name__, retry=details.retry_num)


def log_retries() -> None:
    """Have all retries of this process logged so; again has no effect."""
    stamina.instrumentation.set_on_retry_hooks((log_retry,))
