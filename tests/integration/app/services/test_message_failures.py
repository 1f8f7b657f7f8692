"""Messages while the PMS, Redis or PostgreSQL is away, and from guests who send too many."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from app.core.errors import TooManyRequests, Unavailable
from app.services.messages import Reply, ReplyKind
from app.services.rate_limit import Limit
from dbvitals.sandbox import find_redis
from dbvitals.sandbox.ports import free_port
from tests.integration.app.hotel import Hotel
from tests.integration.app.resilience.ground import STALE_AT_ONCE, KillableRedis, Pms
from tests.integration.app.services.front import PATIENCE, STAY, Front, front, says, send

pytestmark = pytest.mark.asyncio

Connection = psycopg.Connection[tuple[object, ...]]


async def test_a_pms_that_is_down_is_a_notice_and_one_event(desk: Front, pms: Pms) -> None:
    pms.dial(mode="down")
    replies = [await send(desk, says(stay=STAY)) for _ in range(4)]
    assert {(reply.kind, reply.offers) for reply in replies} == {(ReplyKind.NO_OFFERS, None)}
    assert all(reply.notice and "not answer" in reply.notice for reply in replies)
    assert [reply.session_version for reply in replies] == [1, 2, 3, 4]
    await desk.outbox.flush(PATIENCE)
    assert desk.events("pms.failed") == [(desk.hotel.ours.tenant_id, "error", "request-7")]


async def test_while_the_pms_is_down_what_it_said_before_is_given_as_stale(
    hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path
) -> None:
    async with front(hotel, redis_url, pms.url, tmp_path / "spool", cache=STALE_AT_ONCE) as desk:
        fresh = await send(desk, says(stay=STAY))
        pms.dial(mode="down")
        stale = await send(desk, says(stay=STAY))
    assert (fresh.stale, stale.stale) == (False, True)
    assert stale.offers == fresh.offers
    assert stale.notice is not None
    assert stale.age_seconds is not None
    assert stale.age_seconds > 0


@pytest.mark.parametrize(
    "settings", ["{}", '{"pms_hotel": null}', '{"pms_hotel": {"code": 7}}', '{"pms_hotel": "../x?"}']
)
async def test_a_hotel_without_a_pms_gets_its_messages_noted(desk: Front, pms: Pms, settings: str) -> None:
    desk.hotel.owner.execute("update tenants set settings = %s", [settings])
    reply = await send(desk, says(stay=STAY))
    assert (reply.kind, reply.session_version) == (ReplyKind.NO_OFFERS, 1)
    assert "no reservation system" in str(reply.notice)
    assert pms.requests("availability") == 0


async def test_a_hotel_that_the_pms_does_not_know_is_a_notice(desk: Front) -> None:
    desk.hotel.owner.execute("""update tenants set settings = '{"pms_hotel": "hotel-nowhere"}'""")
    reply = await send(desk, says(stay=STAY))
    assert reply.kind is ReplyKind.NO_OFFERS
    assert "does not know" in str(reply.notice)


async def test_a_changed_hotel_code_counts_from_the_next_message_on(desk: Front) -> None:
    assert (await send(desk, says(stay=STAY))).kind is ReplyKind.OFFERS
    desk.hotel.owner.execute("update tenants set settings = '{}'")
    assert (await send(desk, says(stay=STAY))).kind is ReplyKind.NO_OFFERS


THREE = Limit(name="messages", amount=3, seconds=600)


async def test_a_guest_who_sends_too_much_is_asked_to_wait_and_others_are_not(
    hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path
) -> None:
    hotel.add_identifier(hotel.ours, "+34600000002")
    async with front(hotel, redis_url, pms.url, tmp_path / "spool", limit=THREE) as desk:
        for _ in range(3):
            await send(desk)
        for _ in range(4):
            with pytest.raises(TooManyRequests) as caught:
                await send(desk)
            assert 0 < caught.value.retry_after <= 600
        assert (await send(desk, says(identifier="+34600000002"))).session_version == 1
        await desk.outbox.flush(PATIENCE)
        assert desk.events("rate_limit.exceeded") == [(hotel.ours.tenant_id, "warning", "request-7")]
    assert hotel.one("select count(*) from audit_logs where details::text like '%%600000001%%'") == (0,)
    assert hotel.one("select max(version) from sessions") == (3,)


async def test_a_refusal_that_the_trail_cannot_take_is_a_refusal_all_the_same(
    hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path
) -> None:
    async with front(hotel, redis_url, pms.url, tmp_path / "spool", limit=THREE) as desk:
        await desk.outbox.close(PATIENCE)
        for _ in range(3):
            await send(desk)
        with pytest.raises(TooManyRequests):
            await send(desk)


async def test_guests_are_limited_over_all_processes(hotel: Hotel, redis_url: str, pms: Pms, tmp_path: Path) -> None:
    async with (
        front(hotel, redis_url, pms.url, tmp_path / "1", limit=THREE) as one,
        front(hotel, redis_url, pms.url, tmp_path / "2", limit=THREE) as other,
    ):
        sending = (send(desk) for desk in (one, other) for _ in range(5))
        outcomes = await asyncio.gather(*sending, return_exceptions=True)
    assert sum(isinstance(outcome, Reply) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, TooManyRequests) for outcome in outcomes) == 7


@pytest.fixture
def killable_redis(tmp_path: Path) -> Iterator[KillableRedis]:
    server = KillableRedis(find_redis().path, free_port(), tmp_path)
    server.start()
    yield server
    server.kill()


async def test_without_redis_messages_are_noted_all_the_same_and_it_is_used_again_when_it_is_back(
    hotel: Hotel, killable_redis: KillableRedis, pms: Pms, tmp_path: Path
) -> None:
    async with front(hotel, killable_redis.url, pms.url, tmp_path / "spool") as desk:
        await send(desk, says(message_id="1"))
        killable_redis.kill()
        with desk.counted() as sent:
            reply = await send(desk, says(stay=STAY, message_id="2"))
        assert (reply.session_version, reply.kind) == (2, ReplyKind.OFFERS)
        assert len(sent) == 3
        assert (await send(desk, says(message_id="1"))).session_version == 2
        killable_redis.start()
        async with asyncio.timeout(PATIENCE):
            while not await desk.redis.ping():
                await asyncio.sleep(0.05)
        await send(desk)
        with desk.counted() as sent:
            assert (await send(desk)).session_version == 4
        assert len(sent) == 2


async def test_while_postgresql_is_away_a_message_is_refused_and_afterwards_taken(
    desk: Front, connect: Callable[[str], Connection]
) -> None:
    await send(desk)
    with away(desk, connect), pytest.raises(Unavailable):
        await send(desk)
    assert (await send(desk)).session_version == 2


@contextmanager
def away(desk: Front, connect: Callable[[str], Connection]) -> Iterator[None]:
    """No connection to the database stands but the owner's, and none can be made."""
    owner = desk.hotel.owner
    name = owner.info.dbname
    outside = connect(f"host={owner.info.host} port={owner.info.port} user={owner.info.user} dbname=postgres")
    outside.execute(sql.SQL("alter database {} allow_connections false").format(sql.Identifier(name)))
    others = "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> %s"
    outside.execute(others, [name, owner.info.backend_pid])
    yield
    outside.execute(sql.SQL("alter database {} allow_connections true").format(sql.Identifier(name)))
