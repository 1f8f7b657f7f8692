"""Conversations on real servers: one a guest, whoever writes at once, and no cache can lead a message astray."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from app.core.errors import NotFound, Unavailable
from app.core.redis import Family
from app.core.tenancy import TenantScope
from app.db.guest_sessions import Contact, Context, Conversation
from app.services.guest_sessions import Change
from tests.integration.app.resilience.ground import Pms
from tests.integration.app.services.front import GUEST, PATIENCE, PHONE, Front, front, noted, once

pytestmark = pytest.mark.asyncio

TOTALS = "select count(*), sum((context ->> 'messages')::int), count(*) filter (where state <> 'closed') from sessions"


def message(name: str) -> Change:
    return lambda context: context.after(name, None)


@pytest.fixture
def scope(desk: Front) -> TenantScope:
    return desk.hotel.ours


def key_of(desk: Front, contact: Contact = GUEST) -> str:
    tenant = desk.hotel.ours.tenant_id
    return desk.desk.keys.make(Family.SESSION, tenant, private=(contact.platform, contact.value))


async def plant(desk: Front, value: bytes) -> None:
    await desk.redis.run(lambda redis: redis.set(key_of(desk), value))


async def kept(desk: Front) -> bytes:
    found = await desk.redis.run(lambda redis: redis.get(key_of(desk)))
    assert isinstance(found, bytes)
    return found


async def test_a_warm_message_is_one_statement_beside_the_settings(desk: Front) -> None:
    await noted(desk)
    with desk.counted() as sent:
        found = await noted(desk)
    assert found.version == 2
    assert len(sent) == 2
    assert "UPDATE sessions" in sent[1]
    assert (desk.looked("miss"), desk.looked("hit")) == (1, 1)


async def test_a_cold_message_is_one_statement_more_and_a_new_conversation_too(desk: Front) -> None:
    with desk.counted() as started:
        await noted(desk)
    await desk.redis.run(lambda redis: redis.flushdb())
    with desk.counted() as continued:
        assert (await noted(desk)).version == 2
    assert (len(started), len(continued)) == (3, 3)


async def test_no_guests_name_and_no_text_is_in_redis_or_in_the_context(desk: Front) -> None:
    await noted(desk, message("0123456789abcdef"))
    assert PHONE not in key_of(desk)
    assert PHONE.encode() not in await kept(desk)
    assert desk.hotel.one("select context from sessions") == ({"messages": 1, "recent": ["0123456789abcdef"]},)


async def test_a_conversation_that_was_closed_behind_the_caches_back_is_not_continued(
    desk: Front, scope: TenantScope
) -> None:
    first = await noted(desk)
    await desk.sessions.close(scope, first.id, first.version)
    second = await noted(desk)
    assert second.id != first.id
    assert (second.version, second.context.messages) == (1, 1)
    assert desk.hotel.one(TOTALS) == (2, 2, 1)


async def test_a_stale_version_costs_statements_and_no_message(desk: Front) -> None:
    first = await noted(desk)
    stale = await kept(desk)
    await noted(desk)
    await plant(desk, stale)
    with desk.counted() as sent:
        third = await noted(desk)
    assert (third.id, third.version, third.context.messages) == (first.id, 3, 3)
    assert len(sent) == 4
    with desk.counted() as sent:
        await noted(desk)
    assert len(sent) == 2


async def test_a_cache_that_names_another_guests_conversation_is_not_believed(desk: Front) -> None:
    other = desk.hotel.add_session(desk.hotel.ours)
    await noted(desk)
    entry = msgspec.json.decode(await kept(desk))
    await plant(desk, msgspec.json.encode({**entry, "id": str(other)}))
    assert (await noted(desk)).id != other
    assert desk.hotel.one("select version from sessions where id = %s", other) == (1,)


@pytest.mark.parametrize("planted", [b"", b"\xff", b"[]", b"{}", b'{"form":2}', b"null", b'"' * 10_000])
async def test_a_cache_that_holds_nonsense_is_read_over(desk: Front, planted: bytes) -> None:
    first = await noted(desk)
    await plant(desk, planted)
    assert (await noted(desk)).id == first.id
    assert desk.looked("corrupt") == 1


async def test_a_key_of_another_type_is_done_without(desk: Front) -> None:
    await desk.redis.run(lambda redis: redis.lpush(key_of(desk), "x"))
    first = await noted(desk)
    assert (await noted(desk)).id == first.id


async def test_an_identifier_that_went_to_another_guest_begins_that_guests_conversation(desk: Front) -> None:
    first = await noted(desk)
    desk.hotel.owner.execute(
        "update tenant_user_identifiers set deleted_at = now() where identifier_value = %s", [PHONE]
    )
    with pytest.raises(NotFound):
        await noted(desk)
    desk.hotel.add_identifier(desk.hotel.ours, PHONE)
    second = await noted(desk)
    assert second.id != first.id
    assert second.user_id != first.user_id
    assert second.context.messages == 1


async def test_a_tenant_that_is_deleted_takes_no_message_from_that_moment(desk: Front) -> None:
    await noted(desk)
    desk.hotel.owner.execute("update tenants set deleted_at = now()")
    with pytest.raises(NotFound):
        await noted(desk)
    desk.hotel.owner.execute("update tenants set deleted_at = null")
    assert (await noted(desk)).version == 2


async def test_nobodys_message_is_not_found_and_another_tenants_guests_neither(desk: Front) -> None:
    desk.hotel.add_identifier(desk.hotel.theirs, "+34600000002")
    said = set()
    for value in ("+34600000002", "+34600000003"):
        with pytest.raises(NotFound) as caught:
            await desk.sessions.continue_or_start(desk.hotel.ours, Contact(value=value, platform="phone"), once)
        said.add(str(caught.value))
    assert len(said) == 1
    assert desk.hotel.one("select count(*) from sessions") == (0,)


async def test_a_context_that_another_program_wrote_is_taken_as_far_as_it_can_be(desk: Front) -> None:
    await noted(desk)
    for written, messages in (('{"messages": 6, "language": "es"}', 7), ('{"messages": "many"}', 1), ("{}", 1)):
        desk.hotel.owner.execute("update sessions set context = %s, version = version + 1", [written])
        assert (await noted(desk)).context.messages == messages


async def test_messages_of_a_new_guest_at_once_are_one_conversation_and_all_counted(desk: Front) -> None:
    found = await asyncio.gather(*(noted(desk) for _ in range(16)))
    assert len({one.id for one in found}) == 1
    assert sorted(one.version for one in found) == list(range(1, 17))
    assert desk.hotel.one(TOTALS) == (1, 16, 1)
    assert desk.hotel.one("select count(*) from audit_logs where starts_with(resource, 'sessions/')") == (16,)


async def test_several_processes_with_one_redis_count_every_message(
    desk: Front, redis_url: str, pms: Pms, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        others = [
            await stack.enter_async_context(front(desk.hotel, redis_url, pms.url, tmp_path / str(number)))
            for number in range(2)
        ]
        for _ in range(3):
            await asyncio.gather(*(noted(one) for one in (desk, *others) for _ in range(5)))
    assert desk.hotel.one(TOTALS) == (1, 45, 1)


async def test_a_message_that_comes_twice_is_counted_once_also_at_once_and_from_a_cold_cache(desk: Front) -> None:
    await asyncio.gather(*(noted(desk, message("a")) for _ in range(8)))
    await desk.redis.run(lambda redis: redis.flushdb())
    again = await noted(desk, message("a"))
    assert (again.version, again.context.messages) == (1, 1)
    assert (await noted(desk, message("b"))).context.messages == 2


async def test_messages_and_closings_at_once_lose_nothing_and_leave_one_open_conversation(desk: Front) -> None:
    found: list[Conversation] = []
    done = asyncio.Event()

    async def write() -> None:
        while not done.is_set():
            found.append(await noted(desk))

    async def end() -> None:
        query = "update sessions set state = 'closed', closed_at = now(), version = version + 1 where state <> 'closed'"
        for _ in range(5):
            enough = len(found) + 6
            while len(found) < enough:
                await asyncio.sleep(0.001)
            await asyncio.to_thread(desk.hotel.owner.execute, query)
        done.set()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for work in (end(), *(write() for _ in range(4))):
            group.create_task(work)
    found.append(await noted(desk))
    conversations = len({one.id for one in found})
    assert conversations >= 5
    assert desk.hotel.one(TOTALS) == (conversations, len(found), 1)


async def test_a_message_that_fails_leaves_the_cache_as_it_was(desk: Front) -> None:
    await noted(desk)
    before = await kept(desk)

    def fails(_: Context) -> Context:
        raise Unavailable("the test ends it here")

    with pytest.raises(Unavailable):
        await noted(desk, fails)
    assert await kept(desk) == before
    assert desk.hotel.one(TOTALS) == (1, 1, 1)


async def test_a_cancelled_message_is_whole_or_not_at_all(desk: Front) -> None:
    await noted(desk)
    for wait in (0.0, 0.001, 0.002, 0.004, 0.008):
        task = asyncio.create_task(noted(desk))
        await asyncio.sleep(wait)
        task.cancel()
        await asyncio.wait([task])
    last = await noted(desk)
    assert last.context.messages == last.version
    assert desk.hotel.one("select version from sessions") == (last.version,)
