"""Conversations as they are listed, closed and left alone, on real servers."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import uuid7
from app.core.tenancy import TenantScope
from app.db.guest_sessions import Conversation, SessionFilter
from app.services import guest_sessions
from app.services.guest_sessions import mark_idle
from tests.integration.app.services.front import PHONE, Front, noted

pytestmark = pytest.mark.asyncio


@pytest.fixture
def scope(desk: Front) -> TenantScope:
    return desk.hotel.ours


async def test_a_conversation_is_closed_at_the_version_that_was_seen(desk: Front, scope: TenantScope) -> None:
    seen = await noted(desk)
    await noted(desk)
    with pytest.raises(Conflict, match="changed"):
        await desk.sessions.close(scope, seen.id, seen.version)
    closed = await desk.sessions.close(scope, seen.id, 2)
    assert (closed.state, closed.version) == ("closed", 3)
    assert closed.closed_at is not None
    for version in (2, 3):
        with pytest.raises(Conflict, match="closed already"):
            await desk.sessions.close(scope, seen.id, version)


async def test_of_several_who_close_at_once_one_does(desk: Front, scope: TenantScope) -> None:
    seen = await noted(desk)
    closing = (desk.sessions.close(scope, seen.id, 1) for _ in range(6))
    outcomes = await asyncio.gather(*closing, return_exceptions=True)
    assert sum(isinstance(one, Conversation) for one in outcomes) == 1
    assert sum(isinstance(one, Conflict) for one in outcomes) == 5


async def test_another_tenants_conversation_is_as_one_that_is_not(desk: Front, scope: TenantScope) -> None:
    theirs = desk.hotel.add_session(desk.hotel.theirs)
    said = set()
    for stranger in (theirs, uuid7()):
        with pytest.raises(NotFound) as caught:
            await desk.sessions.get(scope, stranger)
        said.add(str(caught.value))
        with pytest.raises(NotFound) as caught:
            await desk.sessions.close(scope, stranger, 1)
        said.add(str(caught.value))
    assert len(said) == 1
    assert desk.hotel.one("select state from sessions where id = %s", theirs) == ("active",)


async def test_a_version_that_no_column_holds_is_refused_not_run(desk: Front, scope: TenantScope) -> None:
    seen = await noted(desk)
    for version in (0, -1, 2**63 - 1):
        with pytest.raises(Conflict):
            await desk.sessions.close(scope, seen.id, version)


def add_sessions(desk: Front, count: int, state: str = "active") -> None:
    """All of one moment: their order is by id."""
    desk.hotel.owner.execute(
        "insert into sessions (tenant_id, user_id, identifier_id, platform, state, closed_at)"
        " select tenant_id, user_id, id, 'phone', %s, case when %s = 'closed' then now() end"
        " from tenant_user_identifiers, generate_series(1, %s::int)",
        [state, state, count],
    )


async def pages(desk: Front, wanted: SessionFilter, size: int) -> list[UUID]:
    found, cursor = list[UUID](), None
    while True:
        page = await desk.sessions.listed(desk.hotel.ours, wanted, cursor, size)
        found += [one.id for one in page.items]
        if (cursor := page.next_cursor) is None:
            return found


async def test_pages_are_all_of_the_tenants_conversations_once_and_the_newest_first(desk: Front) -> None:
    add_sessions(desk, 7)
    add_sessions(desk, 4, "closed")
    desk.hotel.add_session(desk.hotel.theirs)
    desk.hotel.owner.execute("update sessions set deleted_at = now() where id = (select id from sessions limit 1)")
    query = "select array_agg(id order by created_at desc, id desc) from sessions where deleted_at is null"
    mine = f"{query} and tenant_id = %s"
    (everything,) = desk.hotel.one(mine, desk.hotel.ours.tenant_id)
    assert await pages(desk, SessionFilter(), 3) == everything
    assert await pages(desk, SessionFilter(), 500) == everything
    (closed,) = desk.hotel.one(f"{mine} and state = 'closed'", desk.hotel.ours.tenant_id)
    assert await pages(desk, SessionFilter(state="closed"), 1) == closed


async def test_one_guests_conversations_are_listed_alone(desk: Front) -> None:
    add_sessions(desk, 5)
    other = desk.hotel.add_session(desk.hotel.ours)
    (guest,) = desk.hotel.one("select user_id from tenant_user_identifiers where identifier_value = %s", PHONE)
    assert isinstance(guest, UUID)
    desk.hotel.owner.execute("update sessions set user_id = %s where id <> %s", [guest, other])
    found = await pages(desk, SessionFilter(user_id=guest), 2)
    assert (len(found), other in found) == (5, False)
    assert await pages(desk, SessionFilter(user_id=guest, state="idle"), 2) == []
    assert await pages(desk, SessionFilter(user_id=uuid7()), 2) == []


async def test_a_list_costs_the_same_statements_however_long_it_is(desk: Front, scope: TenantScope) -> None:
    costs = []
    for count in (1, 50):
        add_sessions(desk, count)
        with desk.counted() as sent:
            page = await desk.sessions.listed(scope, limit=50)
        costs.append(len(sent))
    assert (len(page.items), costs) == (50, [2, 2])


async def test_listings_refuse_what_they_cannot_give(desk: Front, scope: TenantScope) -> None:
    add_sessions(desk, 3)
    cursor = (await desk.sessions.listed(scope, limit=1)).next_cursor
    for state, mark, limit in (
        ("open", None, 10),
        (None, "nonsense", 10),
        ("active", cursor, 10),
        (None, None, 0),
        (None, None, 501),
    ):
        with pytest.raises(Invalid):
            await desk.sessions.listed(scope, SessionFilter(state=state), mark, limit)
    with pytest.raises(Invalid):
        await desk.sessions.listed(desk.hotel.theirs, SessionFilter(), cursor, 1)


async def test_conversations_without_a_message_for_a_while_become_idle_and_a_message_wakes_them(
    desk: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guest_sessions, "MARKED_AT_ONCE", 2)
    seen = await noted(desk)
    desk.hotel.owner.execute("update sessions set last_message_at = now() - interval '31 minutes'")
    for _ in range(4):
        desk.hotel.add_session(desk.hotel.theirs)
    desk.hotel.owner.execute(
        "update sessions set last_message_at = now() - interval '1 day' where tenant_id = %s",
        [desk.hotel.theirs.tenant_id],
    )
    desk.hotel.add_session(desk.hotel.ours)
    assert await mark_idle(desk.database, "system:timer", "request-1") == 5
    assert await mark_idle(desk.database, "system:timer", "request-1") == 0
    assert desk.hotel.one("select state, version from sessions where id = %s", seen.id) == ("idle", 2)
    woken = await noted(desk)
    assert (woken.id, woken.state, woken.version) == (seen.id, "active", 3)


async def test_a_conversation_that_is_being_written_is_not_waited_for(desk: Front) -> None:
    await noted(desk)
    with desk.hotel.owner.transaction():
        desk.hotel.owner.execute("update sessions set last_message_at = now() - interval '1 day'")
        assert await mark_idle(desk.database, "system:timer", "request-1", timedelta(0)) == 0
    assert await mark_idle(desk.database, "system:timer", "request-1") == 1
