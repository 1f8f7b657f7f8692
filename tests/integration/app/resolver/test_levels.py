"""Resolution from memory, from Redis and from the database, and what is kept where."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry
from psycopg import errors
from pydantic import SecretStr

from app.core.database import Database
from app.core.errors import Unavailable
from app.core.identifiers import InvalidIdentifier
from app.core.metrics import CacheMetrics
from app.core.redis import Keys, RedisClient, RedisSettings
from app.core.tenancy import TenantScope
from app.services.tenant_resolver import TenantResolver
from tests.integration.app.hotel import Hotel
from tests.integration.app.resolver.conftest import Desk, entries, overwrite

pytestmark = pytest.mark.asyncio

PHONE = "+34600000001"
OpenDesk = Callable[[], Awaitable[Desk]]


@pytest.fixture
def guest(hotel: Hotel) -> TenantScope:
    hotel.add_identifier(hotel.ours, PHONE)
    return hotel.ours


async def test_the_first_answer_is_the_databases_and_the_next_is_from_memory(guest: TenantScope, desk: Desk) -> None:
    assert await desk.resolver.resolve(PHONE, "phone") == guest.tenant_id
    assert (len(desk.queries), desk.looked("miss"), desk.looked("hit")) == (1, 1, 0)
    assert await desk.resolver.resolve("0034 600 000 001", "phone") == guest.tenant_id
    assert (len(desk.queries), desk.looked("miss"), desk.looked("hit")) == (1, 1, 0)


async def test_another_process_has_it_from_redis(open_desk: OpenDesk, guest: TenantScope) -> None:
    first, second = await open_desk(), await open_desk()
    await first.resolver.resolve(PHONE, "phone")
    assert await second.resolver.resolve(PHONE, "phone") == guest.tenant_id
    assert (len(second.queries), second.looked("hit")) == (0, 1)


async def test_that_nobody_is_known_by_it_is_kept_too(open_desk: OpenDesk) -> None:
    first, second = await open_desk(), await open_desk()
    for desk in (first, first, second, second):
        assert await desk.resolver.resolve(PHONE, "phone") is None
    assert (len(first.queries), len(second.queries), second.looked("hit")) == (1, 0, 1)


async def test_platforms_are_apart(guest: TenantScope, desk: Desk) -> None:
    assert await desk.resolver.resolve(PHONE, "sms") is None
    assert await desk.resolver.resolve(PHONE, "phone") == guest.tenant_id


async def test_fifty_at_once_are_one_query(guest: TenantScope, desk: Desk) -> None:
    answers = await asyncio.gather(*(desk.resolver.resolve(PHONE, "phone") for _ in range(50)))
    assert set(answers) == {guest.tenant_id}
    assert (len(desk.queries), desk.looked("miss")) == (1, 1)


async def test_who_stops_waiting_stops_nobody_else(guest: TenantScope, desk: Desk) -> None:
    asked = [asyncio.create_task(desk.resolver.resolve(PHONE, "phone")) for _ in range(3)]
    await asyncio.sleep(0)
    asked[1].cancel()
    assert await asked[0] == await asked[2] == guest.tenant_id
    assert asked[1].cancelled()
    assert len(desk.queries) == 1


async def test_when_the_one_who_reads_stops_another_goes_on(guest: TenantScope, desk: Desk) -> None:
    asked = [asyncio.create_task(desk.resolver.resolve(PHONE, "phone")) for _ in range(3)]
    await asyncio.sleep(0)
    asked[0].cancel()
    assert await asked[1] == await asked[2] == guest.tenant_id
    assert len(desk.queries) <= 2


async def test_redis_holds_no_clear_identifier(guest: TenantScope, desk: Desk, redis: RedisClient) -> None:
    await desk.resolver.resolve(PHONE, "phone")
    await desk.resolver.resolve("guest-of-honour@example.com", "email")
    kept = await entries(redis)
    assert len(kept) == 2
    for key, value in kept.items():
        assert key.startswith("tenant:")
        assert 0 < await redis.run(lambda client, key=key: client.ttl(key)) <= 300  # type: ignore[misc]
        assert "600000001" not in key + value.decode()
        assert "honour" not in key + value.decode()


JUNK = (b"", b"\xff", b"1:not-a-uuid", b"x:nobody", b"99999999999999", b"99999999999999:")


async def test_what_cannot_be_read_in_redis_is_asked_again(
    open_desk: OpenDesk, guest: TenantScope, redis: RedisClient
) -> None:
    await (await open_desk()).resolver.resolve(PHONE, "phone")
    (key,) = await entries(redis)
    desk = await open_desk()
    for asked, junk in enumerate(JUNK, start=1):
        await overwrite(redis, key, junk)
        assert await desk.resolver.resolve(PHONE, "phone") == guest.tenant_id
        assert (desk.looked("corrupt"), len(desk.queries)) == (asked, asked)
        desk.resolver._forget_all()


async def test_without_redis_it_works(hotel: Hotel, guest: TenantScope) -> None:
    away = RedisClient(RedisSettings(redis_url=None, redis_host="127.0.0.1", redis_port=1))
    database, registry = Database(hotel.settings), CollectorRegistry()
    resolver = TenantResolver(database.hot, away, Keys(SecretStr("pepper")), CacheMetrics(registry))
    desk = Desk(resolver, registry)
    following = asyncio.create_task(resolver.follow_changes(database.engine))
    await desk.is_live()
    assert await resolver.resolve(PHONE, "phone") == guest.tenant_id
    assert desk.looked("away") == 1
    hotel.owner.execute("update tenant_user_identifiers set deleted_at = now()")
    await asyncio.sleep(0.3)
    assert await resolver.resolve(PHONE, "phone") is None
    following.cancel()
    await asyncio.wait([following])
    await database.close()
    await away.aclose()


async def test_without_the_database_the_caller_is_told(hotel: Hotel, redis: RedisClient) -> None:
    database = Database(hotel.settings.model_copy(update={"postgres_port": 1}))
    resolver = TenantResolver(database.hot, redis, Keys(SecretStr("pepper")), CacheMetrics(CollectorRegistry()))
    answers = (resolver.resolve(PHONE, "phone") for _ in range(3))
    errors_of = await asyncio.gather(*answers, return_exceptions=True)
    assert [type(error) for error in errors_of] == [Unavailable] * 3
    await database.close()


async def test_what_cannot_be_an_identifier_is_refused_without_asking(desk: Desk) -> None:
    with pytest.raises(InvalidIdentifier):
        await desk.resolver.resolve("600 000 001", "phone")
    assert desk.queries == []


async def test_the_read_is_one_probe_of_the_index(desk: Desk, hotel: Hotel) -> None:
    hotel.owner.execute("alter table tenant_user_identifiers disable trigger user")
    hotel.owner.execute(
        "insert into tenant_user_identifiers (tenant_id, user_id, platform, identifier_value)"
        " select %s, uuid7(), 'phone', '+34' || 600000000 + n from generate_series(1, 5000) as n",
        [hotel.ours.tenant_id],
    )
    hotel.owner.execute("vacuum analyze tenant_user_identifiers")
    query = (
        "select seq_scan, (select idx_scan from pg_stat_user_indexes"
        " where indexrelname = 'idx_tenant_user_identifiers_value_platform')"
        " from pg_stat_user_tables where relname = 'tenant_user_identifiers'"
    )
    hotel.owner.execute("select pg_stat_force_next_flush()")
    before = hotel.one(query)
    hotel.owner.execute("set role test_service")
    hotel.owner.execute("select resolve_tenant('+34600000077', 'phone'), pg_stat_force_next_flush()")
    hotel.owner.execute("reset role")
    after = hotel.one(query)
    assert (after[0], after[1]) == (before[0], int(str(before[1])) + 1)


async def test_the_service_sees_no_row_without_a_tenant_and_others_may_not_ask(
    hotel: Hotel, guest: TenantScope
) -> None:
    hotel.owner.execute("set role test_service")
    assert hotel.one("select count(*), resolve_tenant(%s, 'phone') from tenant_user_identifiers", PHONE) == (
        0,
        guest.tenant_id,
    )
    hotel.owner.execute("reset role")
    hotel.owner.execute("do $$ begin create role test_nobody; exception when duplicate_object then null; end $$")
    hotel.owner.execute("set role test_nobody")
    with pytest.raises(errors.InsufficientPrivilege):
        hotel.owner.execute("select resolve_tenant('x', 'phone')")
    hotel.owner.execute("reset role")
