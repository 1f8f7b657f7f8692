"""Messages on real servers: to the right hotel, into one conversation, answered whatever the PMS does."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest

from app.core.errors import Invalid, NotFound
from app.services.messages import IncomingMessage, Reply, ReplyKind, StayRequest
from tests.integration.app.resilience.ground import Pms
from tests.integration.app.services.front import (
    ADMIN,
    ARRIVAL,
    PATIENCE,
    PHONE,
    STAY,
    Front,
    program_of,
    says,
    send,
)

pytestmark = pytest.mark.asyncio

NOTHING = (0, 0)
WRITTEN = (
    "select (select count(*) from sessions), (select count(*) from audit_logs where starts_with(resource, 'sessions/'))"
)


async def test_a_first_message_starts_a_conversation_and_the_next_ones_continue_it(desk: Front) -> None:
    first = await send(desk)
    second = await send(desk)
    assert (first.kind, first.state, first.session_version) == (ReplyKind.NOTED, "active", 1)
    assert (second.session_id, second.session_version) == (first.session_id, 2)
    assert desk.hotel.one("select platform, context -> 'messages' from sessions") == ("phone", 2)


async def test_one_guest_is_one_however_the_identifier_is_written(desk: Front) -> None:
    written = ("+34 600 000 001", "0034600000001", "(+34) 600-000-001", "tel:+34600000001")
    replies = [await send(desk, says(identifier=value)) for value in written]
    assert len({reply.session_id for reply in replies}) == 1


async def test_conversations_on_two_platforms_are_two(desk: Front) -> None:
    desk.hotel.add_identifier(desk.hotel.ours, PHONE, "whatsapp")
    phone, whatsapp = await send(desk), await send(desk, says(platform="whatsapp", identifier="34600000001"))
    assert phone.session_id != whatsapp.session_id


async def test_a_stay_that_is_asked_for_is_answered_with_what_the_pms_has(desk: Front, pms: Pms) -> None:
    reply = await send(desk, says(stay=STAY))
    assert reply.kind is ReplyKind.OFFERS
    assert reply.offers
    assert {offer.currency for offer in reply.offers} == {"EUR"}
    assert (reply.stale, reply.notice) == (False, None)
    again = await send(desk, says(stay=STAY))
    assert (again.offers, again.stale) == (reply.offers, False)
    assert again.age_seconds is not None
    assert pms.requests("availability") == 1


async def test_the_stay_asked_for_last_is_kept_and_the_text_is_not(desk: Front) -> None:
    await send(desk, says(stay=STAY))
    await send(desk, says("my card number is 4111 1111 1111 1111", message_id="wamid.7"))
    (context,) = desk.hotel.one("select context::text from sessions")
    assert ARRIVAL.isoformat() in str(context)
    assert "4111" not in str(context)
    assert "wamid" not in str(context)
    assert desk.hotel.one("select count(*) from audit_logs where details::text like '%%4111%%'") == (0,)


async def test_what_is_kept_of_a_conversation_does_not_grow(desk: Front) -> None:
    for number in range(25):
        await send(desk, says(message_id=f"m-{number}"))
    assert desk.hotel.one("select context -> 'messages', jsonb_array_length(context -> 'recent') from sessions") == (
        25,
        10,
    )


async def test_a_message_that_the_channel_sends_again_is_answered_but_not_counted_again(desk: Front, pms: Pms) -> None:
    message = says(stay=STAY, message_id="wamid.1")
    first = await send(desk, message)
    again = await send(desk, message)
    assert again == replace(first, age_seconds=again.age_seconds)
    assert desk.hotel.one("select version, context -> 'messages' from sessions") == (1, 1)
    assert (await send(desk, says(message_id="wamid.2"))).session_version == 2


async def test_a_message_with_cold_caches_takes_four_statements_and_with_warm_ones_two(desk: Front) -> None:
    with desk.counted() as cold:
        await send(desk, says(stay=STAY))
    with desk.counted() as warm:
        await send(desk, says(stay=STAY))
    assert len(cold) == 4, cold
    assert len(warm) == 2, warm


async def test_another_hotels_token_is_told_what_is_told_of_nobody(desk: Front) -> None:
    theirs = program_of(desk.hotel.theirs.tenant_id)
    said = set()
    for identifier in (PHONE, "+34699999999"):
        with pytest.raises(NotFound) as caught:
            await desk.messages.receive(theirs, says(identifier=identifier), "request-1")
        said.add(str(caught.value))
    assert len(said) == 1
    assert desk.hotel.one(WRITTEN) == NOTHING


async def test_an_operator_may_hand_in_a_message_for_any_hotel(desk: Front) -> None:
    desk.hotel.add_identifier(desk.hotel.theirs, "+34600000002")
    for identifier in (PHONE, "+34600000002"):
        await desk.messages.receive(ADMIN, says(identifier=identifier), "request-1")
    assert desk.hotel.one("select count(distinct tenant_id) from sessions") == (2,)


async def test_the_audit_trail_says_who_handed_the_message_in(desk: Front) -> None:
    await send(desk)
    query = "select details ->> 'actor', request_id from audit_logs where starts_with(resource, 'sessions/')"
    assert desk.hotel.one(query) == ("token:test", "request-7")


TODAY = ARRIVAL - timedelta(days=30)


def asks(arrival: date = ARRIVAL, nights: int = 2, guests: int = 2) -> StayRequest:
    return StayRequest(arrival=arrival, departure=arrival + timedelta(days=nights), guests=guests)


@pytest.mark.parametrize(
    "message",
    [
        says(""),
        says("x" * 4_001),
        says("a\x00b"),
        says("half \ud83c of a pair"),
        says(platform="fax"),
        says(platform="PHONE"),
        says(platform=""),
        says(platform="phone'; drop table sessions; --"),
        says(identifier=""),
        says(identifier="600000001"),
        says(identifier="+34600000001\x00"),
        says(identifier="\ud800"),
        says(identifier="x" * 100_000),
        says(identifier="' or 1=1 --"),
        says(platform="email", identifier="nobody"),
        says(message_id=""),
        says(message_id="m" * 201),
        says(message_id="\udfff"),
        says(stay=asks(nights=0)),
        says(stay=asks(nights=-3)),
        says(stay=asks(nights=61)),
        says(stay=asks(guests=0)),
        says(stay=asks(guests=21)),
        says(stay=asks(guests=2**63)),
        says(stay=asks(TODAY - timedelta(days=3))),
        says(stay=asks(TODAY + timedelta(days=740))),
        says(stay=StayRequest(arrival=date.min, departure=date.max, guests=1)),
    ],
)
async def test_what_no_guest_can_send_is_refused_and_changes_nothing(desk: Front, message: IncomingMessage) -> None:
    with desk.counted() as sent, pytest.raises(Invalid):
        await send(desk, message)
    assert sent == []
    assert desk.hotel.one(WRITTEN) == NOTHING


async def test_hostile_but_possible_guests_are_guests(desk: Front) -> None:
    guests = [
        ("email", "o'neil\"@example.com"),
        ("telegram", "';drop table sessions;--"),
        ("webchat", "🏨" * 80),
        ("instagram", "<script>alert(1)</script>"),
        ("messenger", "%s%(value)s:value{}"),
    ]
    for platform, value in guests:
        desk.hotel.add_identifier(desk.hotel.ours, value, platform)
        reply = await send(
            desk, says("'; delete from sessions; -- 🏨", platform=platform, identifier=value, message_id="🏨'\"")
        )
        assert reply.session_version == 1
    assert desk.hotel.one("select count(*) from sessions") == (5,)


async def test_once_an_identifier_has_moved_to_another_hotel_no_message_goes_to_the_one_before(
    desk: Front,
) -> None:
    """Not even in the moment in which the caches have not heard of it."""
    owner, ours, theirs = desk.hotel.owner, desk.hotel.ours.tenant_id, desk.hotel.theirs.tenant_id

    async def taken() -> Reply:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await desk.messages.receive(ADMIN, says(), "request-1")
                except NotFound:
                    await asyncio.sleep(0.001)

    for tenant in (theirs, ours, theirs):
        await taken()
        with owner.transaction():
            owner.execute("update tenant_user_identifiers set deleted_at = clock_timestamp() where deleted_at is null")
            owner.execute(
                "insert into tenant_user_identifiers (tenant_id, user_id, platform, identifier_value)"
                " values (%s, uuid7(), 'phone', %s)",
                [tenant, PHONE],
            )
        replies = await asyncio.gather(*(taken() for _ in range(4)))
        tenants = "select array_agg(distinct tenant_id) from sessions where id = any(%s)"
        assert desk.hotel.one(tenants, [reply.session_id for reply in replies]) == ([tenant],)
