"""Leases on real servers: one holder at a time, whatever the others do, and a token that only grows."""

import asyncio
import json
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import event

from app.core.database import Database
from app.services.leases import LeaseHeld, LeaseLost, Leases
from tests.integration.app.hotel import Hotel

pytestmark = pytest.mark.asyncio

LONG = timedelta(seconds=30)
SHORT = timedelta(milliseconds=150)
PATIENCE = timedelta(seconds=20)

HOLDER = """
import asyncio, json, sys
from datetime import timedelta
from uuid import UUID
from app.core.database import Database
from app.core.settings import Settings
from app.core.tenancy import TenantScope
from app.services.leases import Leases

async def main(settings, tenant):
    lease = await Leases(Database(Settings(**settings)), "doomed").acquire(
        TenantScope(UUID(tenant), "test", "r"), "room:101", timedelta(seconds=2)
    )
    print(json.dumps([lease.token, lease.expires_at.isoformat()]), flush=True)
    await asyncio.sleep(60)

asyncio.run(main(json.loads(sys.argv[1]), sys.argv[2]))
"""


async def test_sixteen_tasks_never_hold_one_resource_together(leases: Leases, hotel: Hotel) -> None:
    inside: set[int] = set()
    tokens: list[int] = []

    async def work(task: int) -> None:
        for _ in range(4):
            async with leases.hold(hotel.ours, "room:101", LONG, PATIENCE) as lease:
                inside.add(task)
                assert inside == {task}
                await asyncio.sleep(0.001)
                tokens.append(lease.token)
                inside.remove(task)

    await asyncio.gather(*map(work, range(16)))
    assert tokens == sorted(set(tokens))
    assert len(tokens) == 64
    assert hotel.one("select count(*), max(fencing_token) from locks") == (1, 64)


async def test_sixteen_tasks_with_ending_leases_get_tokens_in_the_order_of_their_time(
    leases: Leases, hotel: Hotel
) -> None:
    async def work() -> list[tuple[datetime, int]]:
        got = []
        for _ in range(4):
            lease = await leases.wait(hotel.ours, "room:101", timedelta(milliseconds=5), PATIENCE)
            got.append((lease.expires_at, lease.token))
        return got

    grants = [grant for some in await asyncio.gather(*(work() for _ in range(16))) for grant in some]
    by_token = sorted(grants, key=lambda grant: grant[1])
    assert [token for _, token in by_token] == list(range(1, 65))
    ends = [end for end, _ in by_token]
    assert all(later - end >= timedelta(milliseconds=5) for end, later in pairwise(ends))


async def test_a_lease_shorter_than_the_server_takes_to_write_it_is_granted(leases: Leases, hotel: Hotel) -> None:
    """Start and end are of one reading of the clock: of two, the second was once later than the end."""
    tokens = [(await leases.wait(hotel.ours, "room:101", timedelta(microseconds=1), PATIENCE)).token for _ in range(50)]
    assert tokens == list(range(1, 51))
    assert hotel.one("select expires_at - acquired_at from locks") == (timedelta(microseconds=1),)


async def test_a_killed_holder_loses_the_lease_when_it_ends_and_not_before(leases: Leases, hotel: Hotel) -> None:
    settings = hotel.settings.model_dump(include={"postgres_host", "postgres_port", "postgres_db", "postgres_user"})
    command = [sys.executable, "-c", HOLDER, json.dumps(settings), str(hotel.ours.tenant_id)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        token, end = json.loads(await asyncio.to_thread(holder.stdout.readline))
        holder.send_signal(signal.SIGKILL)
    assert await leases.acquire(hotel.ours, "room:101", LONG) is None
    lease = await leases.wait(hotel.ours, "room:101", LONG, PATIENCE)
    assert (token, lease.token) == (1, 2)
    assert hotel.one("select acquired_at >= %s from locks", datetime.fromisoformat(end)) == (True,)


async def test_a_lease_that_has_ended_is_not_renewed(leases: Leases, hotel: Hotel) -> None:
    lease = await leases.wait(hotel.ours, "room:101", SHORT, PATIENCE)
    await asyncio.sleep(0.2)
    with pytest.raises(LeaseLost):
        await leases.renew(hotel.ours, lease, LONG)
    assert hotel.one("select expires_at from locks") == (lease.expires_at,)


async def test_a_renewed_lease_outlives_its_first_end(leases: Leases, hotel: Hotel) -> None:
    lease = await leases.wait(hotel.ours, "room:101", SHORT, PATIENCE)
    renewed = await leases.renew(hotel.ours, lease, LONG)
    await asyncio.sleep(0.2)
    assert await leases.acquire(hotel.ours, "room:101", LONG) is None
    assert (renewed.token, renewed.expires_at > lease.expires_at) == (lease.token, True)


async def test_only_the_holder_can_release_or_renew(leases: Leases, hotel: Hotel) -> None:
    lease = await leases.wait(hotel.ours, "room:101", LONG, PATIENCE)
    strangers = [replace(lease, owner="desk-2"), replace(lease, token=2), replace(lease, token=0)]
    for stranger in (*strangers, replace(lease, resource="room:102")):
        assert await leases.release(hotel.ours, stranger) is False
        with pytest.raises(LeaseLost):
            await leases.renew(hotel.ours, stranger, LONG)
    assert hotel.one("select released_at, expires_at from locks") == (None, lease.expires_at)
    assert await leases.release(hotel.ours, lease) is True
    assert await leases.release(hotel.ours, lease) is False


async def test_an_earlier_holder_of_the_same_name_can_neither_release_nor_renew(leases: Leases, hotel: Hotel) -> None:
    earlier = await leases.wait(hotel.ours, "room:101", SHORT, PATIENCE)
    later = await leases.wait(hotel.ours, "room:101", LONG, PATIENCE)
    assert (earlier.owner, earlier.token + 1) == (later.owner, later.token)
    assert await leases.release(hotel.ours, earlier) is False
    with pytest.raises(LeaseLost):
        await leases.renew(hotel.ours, earlier, LONG)


async def test_the_clients_clock_is_asked_for_nothing(leases: Leases, service: Database, hotel: Hotel) -> None:
    sent: list[object] = []

    def note(*arguments: object) -> None:
        parameters = arguments[3]
        assert isinstance(parameters, tuple)
        sent.extend(parameters)

    event.listen(service.engine.sync_engine, "before_cursor_execute", note)
    before = hotel.one("select clock_timestamp()")[0]
    lease = await leases.wait(hotel.ours, "room:101", LONG, PATIENCE)
    await leases.renew(hotel.ours, lease, LONG)
    await leases.release(hotel.ours, lease)
    assert LONG in sent
    assert not [value for value in sent if isinstance(value, (datetime, float))]
    assert isinstance(before, datetime)
    assert timedelta() < lease.expires_at - before - LONG < timedelta(seconds=5)


async def test_waiting_ends_in_time(leases: Leases, hotel: Hotel) -> None:
    await leases.wait(hotel.ours, "room:101", LONG, PATIENCE)
    clock = asyncio.get_running_loop().time
    started = clock()
    with pytest.raises(LeaseHeld):
        await leases.wait(hotel.ours, "room:101", LONG, timedelta(seconds=0.5))
    assert 0.5 <= clock() - started < 2


async def test_who_waits_gets_what_is_released(leases: Leases, hotel: Hotel) -> None:
    lease = await leases.wait(hotel.ours, "room:101", LONG, PATIENCE)
    waiter = asyncio.create_task(leases.wait(hotel.ours, "room:101", LONG, PATIENCE))
    await asyncio.sleep(0.1)
    assert not waiter.done()
    await leases.release(hotel.ours, lease)
    assert (await waiter).token == 2


async def test_a_waiter_that_is_cancelled_holds_nothing(leases: Leases, hotel: Hotel) -> None:
    lease = await leases.wait(hotel.ours, "room:101", LONG, PATIENCE)
    waiter = asyncio.create_task(leases.wait(hotel.ours, "room:101", LONG, PATIENCE))
    await asyncio.sleep(0.05)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    await leases.release(hotel.ours, lease)
    assert hotel.one("select fencing_token, released_at is null from locks") == (1, False)


async def test_a_block_that_fails_gives_its_lease_back(leases: Leases, hotel: Hotel) -> None:
    with pytest.raises(ZeroDivisionError):
        async with leases.hold(hotel.ours, "room:101", LONG, PATIENCE):
            _ = 1 / 0
    assert await leases.acquire(hotel.ours, "room:101", LONG) is not None


async def test_trying_in_vain_writes_nothing(leases: Leases, hotel: Hotel) -> None:
    await leases.wait(hotel.ours, "room:101", LONG, PATIENCE)
    before = hotel.one("select xmin, xmax, ctid from locks")
    for _ in range(5):
        assert await leases.acquire(hotel.ours, "room:101", LONG) is None
    assert hotel.one("select xmin, xmax, ctid from locks") == before


async def test_renewals_are_heap_only(leases: Leases, service: Database, hotel: Hotel) -> None:
    held = [await leases.wait(hotel.ours, f"room:{number}", LONG, PATIENCE) for number in range(5)]
    counted = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'locks'"
    for lease in held * 40:
        await leases.renew(hotel.ours, lease, LONG)
    await service.close()  # a backend that ends tells its counts
    async with asyncio.timeout(10):
        while hotel.one(counted)[0] != 200:
            await asyncio.sleep(0.05)
    hot = hotel.one(counted)[1]
    assert isinstance(hot, int)
    assert hot >= 190


async def test_hotels_do_not_see_each_others_leases(leases: Leases, hotel: Hotel) -> None:
    ours = await leases.wait(hotel.ours, "room:101", LONG, PATIENCE)
    theirs = await leases.wait(hotel.theirs, "room:101", LONG, PATIENCE)
    assert (ours.token, theirs.token) == (1, 1)
    with pytest.raises(LeaseLost):
        await leases.renew(hotel.theirs, ours, LONG)
    assert await leases.release(hotel.theirs, ours) is False
    assert hotel.one("select count(*) from locks where released_at is null") == (2,)


@pytest.mark.parametrize("resource", ['room "1"\n\'; drop table locks', "🏨" * 15, ":token", "a,b<script>%s"])
async def test_a_resource_may_have_any_name(leases: Leases, hotel: Hotel, resource: str) -> None:
    lease = await leases.wait(hotel.ours, resource, LONG, PATIENCE)
    assert lease.resource == resource
    assert hotel.one("select resource from locks") == (resource,)
    assert await leases.release(hotel.ours, await leases.renew(hotel.ours, lease, LONG))


@pytest.mark.parametrize("ttl", [timedelta(0), timedelta(seconds=-1)])
async def test_a_lease_lasts_for_some_time(leases: Leases, hotel: Hotel, ttl: timedelta) -> None:
    with pytest.raises(ValueError, match="must last"):
        await leases.acquire(hotel.ours, "room:101", ttl)
