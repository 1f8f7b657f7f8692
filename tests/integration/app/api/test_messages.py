"""A guest's message over HTTP: conversations, offers, limits, and a PMS that fails."""

import pytest

from app.services.messages import MESSAGES
from tests.integration.app.api.ground import OPERATOR, House, in_days, is_problem, stay
from tests.integration.app.resilience.ground import Pms


@pytest.mark.asyncio
async def test_a_message_begins_a_conversation_and_the_next_one_continues_it(house: House) -> None:
    first, second = await house.write(), await house.write(identifier="whatsapp:+34-612-345-678")
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["session_id"] == second.json()["session_id"]
    assert second.json()["session_version"] > first.json()["session_version"]
    assert first.json() | {"session_id": "", "session_version": 0} == {
        "session_id": "",
        "session_version": 0,
        "state": "active",
        "kind": "noted",
        "offers": None,
        "stale": False,
        "age_seconds": None,
        "notice": None,
    }


@pytest.mark.asyncio
async def test_what_is_answered_is_committed(house: House) -> None:
    answer = await house.write()
    found = house.hotel.one("select version from sessions where id = %s", answer.json()["session_id"])
    assert found == (answer.json()["session_version"],)


@pytest.mark.asyncio
async def test_a_stay_is_answered_with_rooms_and_prices(house: House) -> None:
    answer = (await house.write(stay=stay())).json()
    assert (answer["kind"], answer["notice"], answer["stale"]) == ("offers", None, False)
    assert {"room_type", "free", "total_cents", "currency"} == answer["offers"][0].keys()
    shown = (await house.http.get(f"/v1/sessions/{answer['session_id']}", headers=house.ours)).json()
    assert shown["context"] == {"messages": 1, "stay": stay()}


@pytest.mark.asyncio
async def test_a_message_that_is_sent_again_is_not_counted_again(house: House) -> None:
    answers = [await house.write(message_id="wamid.417") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    shown = await house.http.get(f"/v1/sessions/{answers[0].json()['session_id']}", headers=house.ours)
    assert shown.json()["context"]["messages"] == 1


@pytest.mark.asyncio
async def test_another_hotels_guest_is_as_unknown_as_nobody(house: House) -> None:
    before = house.contents()
    foreign = is_problem(await house.write(identifier="+34 699 999 999"), 404)
    unknown = is_problem(await house.write(identifier="+34 600 000 000"), 404)
    assert foreign | {"request_id": ""} == unknown | {"request_id": ""}
    assert house.contents() == before


@pytest.mark.asyncio
async def test_the_operator_may_hand_in_any_hotels_message(house: House) -> None:
    message = {"platform": "whatsapp", "identifier": "+34 699 999 999", "text": "Hola"}
    answer = await house.http.post("/v1/messages", json=message, headers=OPERATOR)
    found = house.hotel.one("select tenant_id from sessions where id = %s", answer.json()["session_id"])
    assert found == (house.hotel.theirs.tenant_id,)


@pytest.mark.asyncio
async def test_a_guest_who_sends_too_much_is_asked_to_wait(house: House) -> None:
    for _ in range(MESSAGES.amount):
        assert (await house.write()).status_code == 200
    refused = [await house.write() for _ in range(3)]
    for answer in refused:
        is_problem(answer, 429)
        assert 1 <= int(answer.headers["retry-after"]) <= MESSAGES.seconds
    await house.parts.outbox.flush(30)
    told = house.hotel.one("select count(*) from audit_logs where event_type = 'rate_limit.exceeded'")
    assert told == (1,)


@pytest.mark.asyncio
async def test_a_pms_that_is_down_costs_the_offers_and_nothing_else(house: House, pms: Pms) -> None:
    pms.dial(mode="down")
    answers = [await house.write(stay=stay() | {"departure": in_days(4 + number)}) for number in range(3)]
    for answer in answers:
        assert answer.status_code == 200
        assert (answer.json()["kind"], answer.json()["offers"]) == ("no_offers", None)
        assert answer.json()["notice"]
    await house.parts.outbox.flush(30)
    assert house.hotel.one("select count(*) from audit_logs where event_type = 'pms.failed'") == (1,)
    assert house.hotel.one("select version from sessions")[0] == answers[-1].json()["session_version"]
