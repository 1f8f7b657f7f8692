"""The services put together as one process has them, and what they send to the database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from prometheus_client import CollectorRegistry
from psycopg.types.json import Jsonb
from sqlalchemy import event

from app.core.database import Database
from app.core.metrics import CacheMetrics
from app.core.redis import RedisClient
from app.db.guest_sessions import Contact, Context, Conversation
from app.services.bounded_events import BoundedEvents
from app.services.guest_sessions import Change, GuestSessions
from app.services.leases import Leases
from app.services.messages import MESSAGES, IncomingMessage, Messages, Reply, StayRequest
from app.services.principals import Principal
from app.services.rate_limit import Limit, RateLimiter
from app.services.read_through import CachePolicy
from app.services.room_holds import RoomHolds
from app.services.security.audit_logger import Operator
from app.services.security.outbox import AuditOutbox, OutboxLimits
from app.services.security.spool import Spool
from app.services.tenant_resolver import TenantResolver
from app.services.tenants import Tenants
from tests.integration.app.hotel import Hotel
from tests.integration.app.resilience.ground import CACHE, HOTEL, Desk, desk

OPERATOR = Operator("admin", "request-1")
ADMIN = Principal(kind="admin", tenant_id=None, actor="admin")
PHONE = "+34600000001"
GUEST = Contact(value=PHONE, platform="phone")
ARRIVAL = datetime.now(UTC).date() + timedelta(days=30)
STAY = StayRequest(arrival=ARRIVAL, departure=ARRIVAL + timedelta(days=2), guests=2)
PATIENCE = 30.0
# An event is in the trail before `flush` returns.
AT_ONCE = OutboxLimits(linger=0.01, retry=0.1)


def says(text: str = "hola", **values: object) -> IncomingMessage:
    wanted: dict[str, object] = {"platform": "phone", "identifier": PHONE, "text": text, **values}
    return IncomingMessage(**wanted)  # type: ignore[arg-type]


def program_of(tenant_id: UUID) -> Principal:
    return Principal(kind="tenant", tenant_id=tenant_id, actor="token:test")


@dataclass(kw_only=True)
class Front:
    """One process. `sent` are its statements to the database, without those that begin and end transactions."""

    hotel: Hotel
    database: Database
    desk: Desk
    resolver: TenantResolver
    sessions: GuestSessions
    messages: Messages
    holds: RoomHolds
    tenants: Tenants
    outbox: AuditOutbox
    registry: CollectorRegistry
    sent: list[str] = field(default_factory=list)

    @property
    def redis(self) -> RedisClient:
        return self.desk.redis

    @property
    def ours(self) -> Principal:
        return program_of(self.hotel.ours.tenant_id)

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """The statements sent in the block."""
        begin, within = len(self.sent), list[str]()
        yield within
        within += self.sent[begin:]

    def looked(self, outcome: str) -> float:
        """How many looks into the cache of conversations ended so."""
        labels = {"family": "session", "outcome": outcome}
        return self.registry.get_sample_value("redis_cache_requests_total", labels) or 0

    def events(self, kind: str) -> list[tuple[object, ...]]:
        """Events of the trail: tenant, severity, request."""
        query = "select tenant_id, severity, request_id from audit_logs where event_type = %s order by id"
        return self.hotel.owner.execute(query, [kind]).fetchall()

    async def is_live(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while not self.resolver.live:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def front(
    hotel: Hotel,
    redis_url: str,
    pms_url: str,
    spool: Path,
    *,
    limit: Limit = MESSAGES,
    cache: CachePolicy = CACHE,
) -> AsyncIterator[Front]:
    database, registry = Database(hotel.settings), CollectorRegistry()
    async with desk(redis_url, pms_url, cache=cache) as found:
        limiter = RateLimiter(found.redis, found.keys)
        outbox = AuditOutbox(database, Spool(spool), AT_ONCE)
        metrics = CacheMetrics(registry)
        sessions = GuestSessions(database, found.redis, found.keys, metrics)
        resolver = TenantResolver(database.hot, found.redis, found.keys, metrics)
        events = BoundedEvents(outbox, limiter)
        made = Front(
            hotel=hotel,
            database=database,
            desk=found,
            resolver=resolver,
            sessions=sessions,
            messages=Messages(resolver, sessions, found.cache, limiter, events, limit=limit),
            holds=RoomHolds(database, Leases(database, "test")),
            tenants=Tenants(database),
            outbox=outbox,
            registry=registry,
        )
        assert database.admin_engine is not None
        for engine in (database.engine, database.admin_engine):
            event.listen(engine.sync_engine, "before_cursor_execute", lambda *sent: made.sent.append(str(sent[2])))
        outbox.start()
        following = asyncio.create_task(resolver.follow_changes(database.engine))
        try:
            await made.is_live()
            yield made
        finally:
            following.cancel()
            await asyncio.wait([following])
            await outbox.close(PATIENCE)
            await database.close()


def set_up_pms(hotel: Hotel) -> None:
    """Tell the service by which code the PMS knows the first hotel."""
    settings = Jsonb({"pms_hotel": HOTEL})
    hotel.owner.execute("update tenants set settings = %s where id = %s", [settings, hotel.ours.tenant_id])


def once(context: Context) -> Context | None:
    """What a message without an id makes of a conversation."""
    return context.after(None, None)


async def noted(desk: Front, change: Change = once) -> Conversation:
    """Note a message of the guest of the first hotel."""
    return (await desk.sessions.continue_or_start(desk.hotel.ours, GUEST, change)).conversation


async def send(desk: Front, message: IncomingMessage | None = None) -> Reply:
    return await desk.messages.receive(desk.ours, message or says(), "request-7")
