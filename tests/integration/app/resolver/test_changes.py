"""A changed identifier is known at once in every process, and a stale answer is never believed."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
import pytest

from app.core.redis import RedisClient
from dbvitals.sandbox import RedisServer
from tests.integration.app.hotel import Hotel
from tests.integration.app.resolver.conftest import Desk, entries, overwrite

pytestmark = pytest.mark.asyncio

PHONE = "+34600000001"
OpenDesk = Callable[[], Awaitable[Desk]]

MOVE = "update tenant_user_identifiers set tenant_id = %s where identifier_value = %s"
LISTENERS = (
    "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    " and position('pg_snapshot_xmax' in query) > 0"
)


@pytest.fixture(autouse=True)
def guest(hotel: Hotel) -> UUID:
    return hotel.add_identifier(hotel.ours, PHONE)


def move(hotel: Hotel) -> None:
    hotel.owner.execute(MOVE, [hotel.theirs.tenant_id, PHONE])


async def turns_to(desk: Desk, tenant: UUID | None) -> float:
    """Resolve until the answer is this one; the seconds it took."""
    clock = asyncio.get_running_loop().time
    started = clock()
    async with asyncio.timeout(10):
        while await desk.resolver.resolve(PHONE, "phone") != tenant:
            await asyncio.sleep(0.002)
    return clock() - started


CHANGES = [
    ("deleted_at = now()", "deleted_at = null"),
    ("identifier_value = '+34600000002'", f"identifier_value = '{PHONE}'"),
    ("platform = 'sms'", "platform = 'phone'"),
]


async def test_every_kind_of_change_is_heard(desk: Desk, hotel: Hotel) -> None:
    await turns_to(desk, hotel.ours.tenant_id)
    for there, back in CHANGES:
        hotel.owner.execute(f"update tenant_user_identifiers set {there}".encode())
        assert await turns_to(desk, None) < 1
        hotel.owner.execute(f"update tenant_user_identifiers set {back}".encode())
        assert await turns_to(desk, hotel.ours.tenant_id) < 1
    move(hotel)
    assert await turns_to(desk, hotel.theirs.tenant_id) < 1
    hotel.owner.execute("delete from tenant_user_identifiers")
    assert await turns_to(desk, None) < 1
    hotel.add_identifier(hotel.ours, PHONE)
    assert await turns_to(desk, hotel.ours.tenant_id) < 1


async def test_a_change_that_is_rolled_back_or_says_nothing_new_disturbs_nobody(desk: Desk, hotel: Hotel) -> None:
    await desk.resolver.resolve(PHONE, "phone")
    with hotel.owner.transaction(force_rollback=True):
        move(hotel)
    hotel.owner.execute("update tenant_user_identifiers set verified_at = now()")
    await asyncio.sleep(0.3)
    assert await desk.resolver.resolve(PHONE, "phone") == hotel.ours.tenant_id
    assert len(desk.queries) == 1


async def test_the_key_in_redis_goes_with_the_change(desk: Desk, hotel: Hotel, redis: RedisClient) -> None:
    await desk.resolver.resolve(PHONE, "phone")
    assert await redis.run(lambda redis: redis.dbsize()) == 1
    move(hotel)
    async with asyncio.timeout(5):
        while await redis.run(lambda redis: redis.dbsize()):
            await asyncio.sleep(0.01)


async def test_a_stale_answer_that_comes_late_into_redis_is_not_believed(
    open_desk: OpenDesk, hotel: Hotel, redis: RedisClient
) -> None:
    first, second = await open_desk(), await open_desk()
    await first.resolver.resolve(PHONE, "phone")
    ((key, stale),) = (await entries(redis)).items()
    move(hotel)
    await turns_to(first, hotel.theirs.tenant_id)
    await asyncio.sleep(0.2)
    await overwrite(redis, key, stale)
    assert await second.resolver.resolve(PHONE, "phone") == hotel.theirs.tenant_id
    third = await open_desk()
    await overwrite(redis, key, stale)
    assert await third.resolver.resolve(PHONE, "phone") == hotel.theirs.tenant_id


async def test_a_change_while_it_is_read_leaves_nothing_stale(desk: Desk, hotel: Hotel) -> None:
    for number in range(30):
        scope = (hotel.ours, hotel.theirs)[number % 2]
        reading = [asyncio.create_task(desk.resolver.resolve(PHONE, "phone")) for _ in range(3)]
        changing = asyncio.to_thread(hotel.owner.execute, MOVE, [scope.tenant_id, PHONE])
        await asyncio.gather(changing, *reading)
        assert await turns_to(desk, scope.tenant_id) < 1
        assert {await desk.resolver.resolve(PHONE, "phone") for _ in range(3)} == {scope.tenant_id}


async def test_a_killed_listener_believes_nothing_that_it_may_have_missed(
    desk: Desk, hotel: Hotel, redis: RedisClient
) -> None:
    await desk.resolver.resolve(PHONE, "phone")
    kept = await entries(redis)
    assert len(kept) == 1
    # All of it before this process's loop runs again: nobody hears of the change.
    assert hotel.one(f"select count(pg_terminate_backend(pid)) {LISTENERS}") == (1,)
    while hotel.one(f"select count(*) {LISTENERS}") != (0,):
        pass
    move(hotel)
    async with asyncio.timeout(5):
        while desk.resolver.live:
            await asyncio.sleep(0)
    assert await desk.resolver.resolve(PHONE, "phone") == hotel.theirs.tenant_id
    await desk.is_live()
    assert await entries(redis) == kept, "the stale answer is still there, or this shows nothing"
    assert await desk.resolver.resolve(PHONE, "phone") == hotel.theirs.tenant_id
    hotel.owner.execute(MOVE, [hotel.ours.tenant_id, PHONE])
    assert await turns_to(desk, hotel.ours.tenant_id) < 1


async def test_while_changes_cannot_be_heard_every_answer_is_the_databases(desk: Desk, hotel: Hotel) -> None:
    await desk.resolver.resolve(PHONE, "phone")
    desk.resolver.disconnected()
    for _ in range(3):
        assert await desk.resolver.resolve(PHONE, "phone") == hotel.ours.tenant_id
    assert len(desk.queries) == 4


CHILD = """
import asyncio, json, sys
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from app.core.database import Database
from app.core.metrics import CacheMetrics
from app.core.redis import Keys, RedisClient, RedisSettings
from app.core.settings import Settings
from app.services.tenant_resolver import TenantResolver

async def main(postgres, redis):
    database = Database(Settings(**postgres))
    client = RedisClient(RedisSettings(redis_url=SecretStr(redis)))
    resolver = TenantResolver(database.hot, client, Keys(SecretStr("pepper")), CacheMetrics(CollectorRegistry()))
    following = asyncio.create_task(resolver.follow_changes(database.engine))
    while not resolver.live:
        await asyncio.sleep(0.01)
    while phone := (await asyncio.to_thread(sys.stdin.readline)).strip():
        print(await resolver.resolve(phone, "phone"), flush=True)
    following.cancel()
    await asyncio.wait([following])
    await database.close()
    await client.aclose()

asyncio.run(main(json.loads(sys.argv[1]), sys.argv[2]))
"""


@asynccontextmanager
async def another_process(hotel: Hotel, redis_server: RedisServer) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """A function that asks a resolver in another process."""
    settings = hotel.settings.model_dump(include={"postgres_host", "postgres_port", "postgres_db", "postgres_user"})
    command = [sys.executable, "-c", CHILD, json.dumps(settings), redis_server.url]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    asking, telling = process.stdin, process.stdout

    async def ask() -> str:
        asking.write(f"{PHONE}\n".encode())
        return (await telling.readline()).decode().strip()

    try:
        yield ask
    finally:
        asking.write(b"\n")
        async with asyncio.timeout(10):
            assert await process.wait() == 0


async def test_a_change_is_known_in_two_processes_within_a_second(
    desk: Desk, hotel: Hotel, redis_server: RedisServer
) -> None:
    async with another_process(hotel, redis_server) as ask:
        assert await ask() == str(hotel.ours.tenant_id)
        assert await desk.resolver.resolve(PHONE, "phone") == hotel.ours.tenant_id
        for scope in (hotel.theirs, hotel.ours, hotel.theirs):
            hotel.owner.execute(MOVE, [scope.tenant_id, PHONE])
            async with asyncio.timeout(1):
                while await ask() != str(scope.tenant_id):
                    pass
                await turns_to(desk, scope.tenant_id)


async def test_a_listener_that_cannot_connect_tries_again(desk: Desk, hotel: Hotel, database: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with psycopg.connect(database.replace(f"/{name}?", "/postgres?"), autocommit=True) as other:
        other.execute(f'alter database "{name}" allow_connections false'.encode())
        hotel.one(f"select count(pg_terminate_backend(pid)) {LISTENERS}")
        await asyncio.sleep(0.5)
        assert not desk.resolver.live
        other.execute(f'alter database "{name}" allow_connections true'.encode())
    await desk.is_live()
    assert await desk.resolver.resolve(PHONE, "phone") == hotel.ours.tenant_id
