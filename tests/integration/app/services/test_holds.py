"""Room holds by the service: for the tenant's conversations only, one of them at a time, and all of them listed."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from app.core.errors import Conflict, Invalid, NotFound
from app.core.ids import uuid7
from app.core.tenancy import TenantScope
from app.db.holds import RoomNight, RoomTaken
from tests.integration.app.services.front import ARRIVAL, Front

pytestmark = pytest.mark.asyncio

ROOM = RoomNight(room="101", night=ARRIVAL)
QUARTER = timedelta(minutes=15)


@pytest.fixture
def scope(desk: Front) -> TenantScope:
    return desk.hotel.ours


@pytest.fixture
def guests(desk: Front) -> tuple[UUID, UUID]:
    return desk.hotel.add_session(desk.hotel.ours), desk.hotel.add_session(desk.hotel.ours)


async def test_a_room_is_held_confirmed_and_freed(desk: Front, scope: TenantScope, guests: tuple[UUID, UUID]) -> None:
    held = await desk.holds.place(scope, guests[0], ROOM, QUARTER)
    assert (held.session_id, held.room, held.night, held.state) == (guests[0], "101", ARRIVAL, "held")
    for _ in range(2):
        assert (await desk.holds.confirm(scope, guests[0], ROOM)).state == "confirmed"
    for _ in range(2):
        assert (await desk.holds.cancel(scope, guests[0], ROOM)).state == "cancelled"
    again = await desk.holds.place(scope, guests[1], ROOM, QUARTER)
    assert (again.id, again.session_id, again.state) == (held.id, guests[1], "held")
    assert desk.hotel.one("select count(*) filter (where released_at is null) from locks") == (0,)


async def test_of_two_conversations_at_once_one_has_the_room(
    desk: Front, scope: TenantScope, guests: tuple[UUID, UUID]
) -> None:
    placing = (desk.holds.place(scope, guest, ROOM, QUARTER) for guest in guests * 4)
    outcomes = await asyncio.gather(*placing, return_exceptions=True)
    (holder,) = {outcome.session_id for outcome in outcomes if not isinstance(outcome, BaseException)}
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if isinstance(outcome, BaseException))
    assert desk.hotel.one("select session_id, state from room_holds") == (holder, "held")


async def test_a_room_that_another_conversation_has_is_a_conflict(
    desk: Front, scope: TenantScope, guests: tuple[UUID, UUID]
) -> None:
    await desk.holds.place(scope, guests[0], ROOM, QUARTER)
    for change in (desk.holds.confirm, desk.holds.cancel):
        with pytest.raises(RoomTaken):
            await change(scope, guests[1], ROOM)
    with pytest.raises(RoomTaken):
        await desk.holds.place(scope, guests[1], ROOM, QUARTER)
    assert (await desk.holds.listed(scope)).items[0].session_id == guests[0]


async def test_another_tenants_conversation_is_as_one_that_is_not_and_leaves_no_trace(
    desk: Front, scope: TenantScope, guests: tuple[UUID, UUID]
) -> None:
    theirs = desk.hotel.add_session(desk.hotel.theirs)
    said = set()
    for stranger in (theirs, uuid7()):
        for change in (desk.holds.confirm, desk.holds.cancel):
            with pytest.raises(NotFound) as caught:
                await change(scope, stranger, ROOM)
            said.add(str(caught.value))
        with pytest.raises(NotFound) as caught:
            await desk.holds.place(scope, stranger, ROOM, QUARTER)
        said.add(str(caught.value))
    assert len(said) == 1
    assert desk.hotel.one("select (select count(*) from room_holds), (select count(*) from locks)") == (0, 0)


async def test_a_closed_conversation_holds_no_room_but_frees_the_one_it_has(
    desk: Front, scope: TenantScope, guests: tuple[UUID, UUID]
) -> None:
    await desk.holds.place(scope, guests[0], ROOM, QUARTER)
    await desk.sessions.close(scope, guests[0], 1)
    with pytest.raises(Conflict, match="closed"):
        await desk.holds.place(scope, guests[0], RoomNight(room="102", night=ARRIVAL), QUARTER)
    assert (await desk.holds.cancel(scope, guests[0], ROOM)).state == "cancelled"


@pytest.mark.parametrize(
    ("what", "duration"),
    [
        (RoomNight(room="", night=ARRIVAL), QUARTER),
        (RoomNight(room="x" * 51, night=ARRIVAL), QUARTER),
        (RoomNight(room="1\x00", night=ARRIVAL), QUARTER),
        (RoomNight(room="1\ud800", night=ARRIVAL), QUARTER),
        (RoomNight(room="101", night=ARRIVAL - timedelta(days=40)), QUARTER),
        (RoomNight(room="101", night=ARRIVAL + timedelta(days=800)), QUARTER),
        (ROOM, timedelta(0)),
        (ROOM, timedelta(days=2)),
        (ROOM, timedelta.max),
    ],
)
async def test_what_cannot_be_held_is_refused_and_leaves_no_trace(
    desk: Front, scope: TenantScope, guests: tuple[UUID, UUID], what: RoomNight, duration: timedelta
) -> None:
    with pytest.raises(Invalid):
        await desk.holds.place(scope, guests[0], what, duration)
    assert desk.hotel.one("select (select count(*) from room_holds), (select count(*) from locks)") == (0, 0)


async def test_rooms_with_hostile_names_are_rooms(desk: Front, scope: TenantScope, guests: tuple[UUID, UUID]) -> None:
    for room in ("o'neil\"", "1,2\n3", "<script>", "🏨" * 50, "%s %(room)s :room", "'; drop table room_holds; --"):
        held = await desk.holds.place(scope, guests[0], RoomNight(room=room, night=ARRIVAL), QUARTER)
        assert held.room == room
    assert desk.hotel.one("select count(*) from room_holds") == (6,)


async def test_a_hold_that_ran_out_is_listed_as_expired(
    desk: Front, scope: TenantScope, guests: tuple[UUID, UUID]
) -> None:
    await desk.holds.place(scope, guests[0], ROOM, QUARTER)
    desk.hotel.owner.execute("update room_holds set held_until = now() - interval '1 second'")
    assert [hold.state for hold in (await desk.holds.listed(scope)).items] == ["expired"]
    with pytest.raises(RoomTaken):
        await desk.holds.confirm(scope, guests[0], ROOM)
    assert (await desk.holds.place(scope, guests[1], ROOM, QUARTER)).session_id == guests[1]


async def test_holds_are_listed_by_cursor_for_one_conversation_or_all_and_never_anothers(
    desk: Front, scope: TenantScope, guests: tuple[UUID, UUID]
) -> None:
    theirs = desk.hotel.add_session(desk.hotel.theirs)
    await desk.holds.place(desk.hotel.theirs, theirs, ROOM, QUARTER)
    for number in range(5):
        await desk.holds.place(scope, guests[number % 2], RoomNight(room=str(number), night=ARRIVAL), QUARTER)
    found, cursor = list[str](), None
    while True:
        page = await desk.holds.listed(scope, None, cursor, 2)
        found += [hold.room for hold in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert found == ["4", "3", "2", "1", "0"]
    assert [hold.room for hold in (await desk.holds.listed(scope, guests[1])).items] == ["3", "1"]
    with pytest.raises(Invalid):
        await desk.holds.listed(scope, guests[1], (await desk.holds.listed(scope, None, None, 2)).next_cursor)


async def test_a_list_costs_the_same_statements_however_long_it_is(
    desk: Front, scope: TenantScope, guests: tuple[UUID, UUID]
) -> None:
    sent = []
    for count in (1, 50):
        desk.hotel.owner.execute(
            "insert into room_holds (tenant_id, session_id, room, night, held_until, fencing_token)"
            " select %s, %s, %s || '-' || n, current_date, now(), 1 from generate_series(1, %s::int) n",
            [scope.tenant_id, guests[0], str(count), count],
        )
        with desk.counted() as statements:
            page = await desk.holds.listed(scope, None, None, 50)
        sent.append(len(statements))
    assert len(page.items) == 50
    assert sent == [2, 2]
