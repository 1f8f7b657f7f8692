"""Conversations and room holds over HTTP: who changes what meanwhile gets a 409, never a wrong answer."""

import asyncio
from uuid import UUID

import httpx
import pytest

from tests.integration.app.api.ground import OPERATOR, House, in_days, is_problem


async def begin(house: House, identifier: str) -> str:
    """Let a new guest of ours begin a conversation; its id."""
    path = f"/v1/tenants/{house.hotel.ours.tenant_id}/identifiers"
    wanted = {"platform": "whatsapp", "value": identifier}
    assert (await house.http.post(path, json=wanted, headers=OPERATOR)).status_code == 201
    answer = await house.write(identifier=identifier)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["session_id"])


async def hold(house: House, session: str, room: str = "204") -> httpx.Response:
    wanted = {"session_id": session, "room": room, "night": in_days(1), "seconds": 600}
    return await house.send("POST", "/v1/holds", wanted, house.ours)


@pytest.mark.asyncio
async def test_a_conversation_ends_at_the_version_that_was_seen(house: House) -> None:
    seen = (await house.write()).json()
    await house.write()
    path = f"/v1/sessions/{seen['session_id']}"
    is_problem(await house.send("POST", f"{path}/close", {"version": seen["session_version"]}, house.ours), 409)
    current = (await house.http.get(path, headers=house.ours)).json()
    closed = await house.send("POST", f"{path}/close", {"version": current["version"]}, house.ours)
    assert (closed.status_code, closed.json()["state"]) == (200, "closed")
    assert closed.json()["closed_at"]
    is_problem(await house.send("POST", f"{path}/close", {"version": closed.json()["version"]}, house.ours), 409)
    assert (await house.write()).json()["session_id"] != seen["session_id"]


@pytest.mark.asyncio
async def test_conversations_are_listed_by_state_page_by_page(house: House) -> None:
    sessions = [await begin(house, f"+34 600 000 00{number}") for number in range(5)]
    found: list[str] = []
    cursor = ""
    while True:
        answer = await house.http.get(f"/v1/sessions?state=active&limit=2{cursor}", headers=house.ours)
        found += [item["id"] for item in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            break
        cursor = f"&cursor={answer.json()['next_cursor']}"
    assert found == sessions[::-1]
    assert (await house.http.get("/v1/sessions?state=closed", headers=house.ours)).json()["items"] == []


@pytest.mark.asyncio
async def test_a_room_is_one_conversations_until_it_lets_go(house: House) -> None:
    first, second = await begin(house, "+34 600 000 001"), await begin(house, "+34 600 000 002")
    placed = await hold(house, first)
    assert (placed.status_code, placed.json()["state"]) == (201, "held")
    is_problem(await hold(house, second), 409)
    path = f"/v1/holds/204/{in_days(1)}"
    is_problem(await house.send("POST", f"{path}/confirm", {"session_id": second}, house.ours), 409)
    is_problem(await house.http.delete(f"{path}?session_id={second}", headers=house.ours), 409)
    confirmed = await house.send("POST", f"{path}/confirm", {"session_id": first}, house.ours)
    assert confirmed.json()["state"] == "confirmed"
    cancelled = await house.http.delete(f"{path}?session_id={first}", headers=house.ours)
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert (await hold(house, second)).status_code == 201
    listed = (await house.http.get(f"/v1/holds?session_id={second}", headers=house.ours)).json()["items"]
    assert [(item["room"], item["state"]) for item in listed] == [("204", "held")]


@pytest.mark.asyncio
async def test_of_many_who_want_a_room_at_once_one_gets_it(house: House) -> None:
    sessions = [await begin(house, f"+34 600 000 00{number}") for number in range(6)]
    answers = await asyncio.gather(*(hold(house, session, "417 ñ") for session in sessions))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    holder = next(UUID(answer.json()["session_id"]) for answer in answers if answer.status_code == 201)
    assert house.hotel.one("select session_id from room_holds where room = '417 ñ'") == (holder,)
