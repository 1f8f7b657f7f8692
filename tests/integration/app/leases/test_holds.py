"""Room holds: written under a lease on the room's night, and out of reach of whoever held an earlier one."""

import asyncio
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from app.core.database import Database
from app.core.ids import uuid7
from app.db import holds
from app.db.holds import RoomNight, RoomTaken, StaleLease
from app.db.leases import Lease
from app.services.leases import Leases
from app.services.redis_lease import EfficiencyLease
from tests.integration.app.hotel import Hotel

pytestmark = pytest.mark.asyncio

ROOM = RoomNight(room="101", night=date(2026, 12, 24))
LONG = timedelta(seconds=30)
QUARTER = timedelta(minutes=15)
STATE = "select session_id, state, fencing_token from room_holds"


@pytest.fixture
def guests(hotel: Hotel) -> tuple[UUID, UUID]:
    return hotel.add_session(hotel.ours), hotel.add_session(hotel.ours)


async def take(leases: Leases, hotel: Hotel, ttl: timedelta = LONG) -> Lease:
    return await leases.wait(hotel.ours, ROOM.resource, ttl, timedelta(seconds=10))


async def place(service: Database, hotel: Hotel, lease: Lease, guest: UUID, duration: timedelta = QUARTER) -> None:
    async with service.unit_of_work(hotel.ours) as session:
        await holds.place(session, lease, ROOM, guest, duration)


async def test_a_held_room_is_confirmed(
    service: Database, hotel: Hotel, leases: Leases, guests: tuple[UUID, UUID]
) -> None:
    lease = await take(leases, hotel)
    async with service.unit_of_work(hotel.ours) as session:
        until = await holds.place(session, lease, ROOM, guests[0], QUARTER)
        await holds.confirm(session, lease, ROOM, guests[0])
    assert hotel.one(STATE) == (guests[0], "confirmed", 1)
    assert hotel.one("select %s - clock_timestamp() between '14 minutes' and '15 minutes'", until) == (True,)


async def test_a_paused_holder_cannot_overwrite_what_came_after(
    service: Database, hotel: Hotel, leases: Leases, guests: tuple[UUID, UUID]
) -> None:
    paused = await take(leases, hotel, timedelta(milliseconds=100))
    await asyncio.sleep(0.15)
    later = await take(leases, hotel)
    await place(service, hotel, later, guests[1])
    for write in (holds.confirm, holds.cancel):
        with pytest.raises(StaleLease):
            async with service.unit_of_work(hotel.ours) as session:
                await write(session, paused, ROOM, guests[1])
    with pytest.raises(StaleLease):
        await place(service, hotel, paused, guests[0])
    assert hotel.one(STATE) == (guests[1], "held", 2)


async def test_a_paused_holder_cannot_take_a_room_that_was_freed_after(
    service: Database, hotel: Hotel, leases: Leases, guests: tuple[UUID, UUID]
) -> None:
    paused = await take(leases, hotel, timedelta(milliseconds=100))
    await asyncio.sleep(0.15)
    later = await take(leases, hotel)
    await place(service, hotel, later, guests[1])
    async with service.unit_of_work(hotel.ours) as session:
        await holds.cancel(session, later, ROOM, guests[1])
    with pytest.raises(StaleLease):
        await place(service, hotel, paused, guests[0])
    assert hotel.one(STATE) == (guests[1], "cancelled", 2)


async def test_a_room_that_another_has_is_taken_until_it_is_freed(
    service: Database, hotel: Hotel, leases: Leases, guests: tuple[UUID, UUID]
) -> None:
    lease = await take(leases, hotel)
    await place(service, hotel, lease, guests[0])
    with pytest.raises(RoomTaken):
        await place(service, hotel, lease, guests[1])
    for write in (holds.confirm, holds.cancel):
        with pytest.raises(RoomTaken):
            async with service.unit_of_work(hotel.ours) as session:
                await write(session, lease, ROOM, guests[1])
    async with service.unit_of_work(hotel.ours) as session:
        await holds.cancel(session, lease, ROOM, guests[0])
    await place(service, hotel, lease, guests[1])
    assert hotel.one(STATE) == (guests[1], "held", 1)


async def test_a_hold_that_ran_out_is_not_confirmed_and_is_free_for_others(
    service: Database, hotel: Hotel, leases: Leases, guests: tuple[UUID, UUID]
) -> None:
    lease = await take(leases, hotel)
    await place(service, hotel, lease, guests[0], timedelta(milliseconds=50))
    await asyncio.sleep(0.1)
    with pytest.raises(RoomTaken):
        async with service.unit_of_work(hotel.ours) as session:
            await holds.confirm(session, lease, ROOM, guests[0])
    await place(service, hotel, lease, guests[1])
    assert hotel.one(STATE) == (guests[1], "held", 1)


async def test_a_confirmed_room_is_not_held_again(
    service: Database, hotel: Hotel, leases: Leases, guests: tuple[UUID, UUID]
) -> None:
    lease = await take(leases, hotel)
    await place(service, hotel, lease, guests[0], timedelta(milliseconds=50))
    async with service.unit_of_work(hotel.ours) as session:
        await holds.confirm(session, lease, ROOM, guests[0])
    await asyncio.sleep(0.1)
    for guest in guests:
        with pytest.raises(RoomTaken):
            await place(service, hotel, lease, guest)
    assert hotel.one(STATE) == (guests[0], "confirmed", 1)


async def test_who_holds_a_room_may_prolong_the_hold(
    service: Database, hotel: Hotel, leases: Leases, guests: tuple[UUID, UUID]
) -> None:
    lease = await take(leases, hotel)
    await place(service, hotel, lease, guests[0], timedelta(minutes=1))
    first = hotel.one("select held_until from room_holds")
    await place(service, hotel, lease, guests[0])
    assert hotel.one("select held_until > %s + interval '13 minutes' from room_holds", *first) == (True,)


async def test_what_was_never_held_is_neither_confirmed_nor_cancelled(
    service: Database, hotel: Hotel, leases: Leases, guests: tuple[UUID, UUID]
) -> None:
    lease = await take(leases, hotel)
    for write in (holds.confirm, holds.cancel):
        with pytest.raises(RoomTaken):
            async with service.unit_of_work(hotel.ours) as session:
                await write(session, lease, ROOM, guests[0])


async def test_a_lease_on_something_else_is_refused(service: Database, hotel: Hotel, leases: Leases) -> None:
    lease = await leases.wait(hotel.ours, "spa", LONG, LONG)
    with pytest.raises(ValueError, match="the lease is on 'spa'"):
        await place(service, hotel, lease, uuid7())


async def test_a_lease_that_only_saves_time_is_none_that_a_hold_takes(service: Database, hotel: Hotel) -> None:
    lease = EfficiencyLease(key="lock:1", secret="s")
    async with service.unit_of_work(hotel.ours) as session:
        with pytest.raises(AttributeError):
            await holds.cancel(session, lease, ROOM, uuid7())  # type: ignore[arg-type]  # mypy refuses it: that is the test


async def test_no_hold_is_placed_for_another_hotel(
    service: Database, hotel: Hotel, leases: Leases, guests: tuple[UUID, UUID]
) -> None:
    lease = await take(leases, hotel)
    with pytest.raises(DBAPIError, match="row-level security"):
        async with service.unit_of_work(hotel.theirs) as session:
            await holds.place(session, lease, ROOM, guests[0], QUARTER)
    await place(service, hotel, lease, guests[0])
    for write in (holds.confirm, holds.cancel):
        with pytest.raises(RoomTaken):
            async with service.unit_of_work(hotel.theirs) as session:
                await write(session, lease, ROOM, guests[0])
    assert hotel.one(STATE) == (guests[0], "held", 1)


async def test_every_change_of_a_hold_is_in_the_audit_trail(
    service: Database, hotel: Hotel, leases: Leases, guests: tuple[UUID, UUID]
) -> None:
    lease = await take(leases, hotel)
    await place(service, hotel, lease, guests[0])
    async with service.unit_of_work(hotel.ours) as session:
        await holds.confirm(session, lease, ROOM, guests[0])
    rows = "select count(*), count(distinct event_type) from audit_logs where starts_with(resource, 'room_holds')"
    assert hotel.one(rows) == (2, 2)
