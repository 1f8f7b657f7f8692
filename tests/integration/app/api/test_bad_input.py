"""Bad input gets a clear 4xx and changes nothing: oversized, malformed, foreign, SQL-ish, past, far ahead."""

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.app.api.ground import OPERATOR, House, in_days, is_problem, stay

SQL = "'; drop table sessions; --"
Cases = dict[str, dict[str, Any]]
SURROGATE = "half of a pair: \ud83c"
ZERO = "zero\x00"

MESSAGES: Cases = {
    "no text": {"text": ""},
    "text too long": {"text": "x" * 4_001},
    "text is a list": {"text": ["Hola"]},
    "text with zero": {"text": ZERO},
    "half of a pair": {"text": SURROGATE},
    "no platform": {"platform": None},
    "unknown platform": {"platform": "fax"},
    "sql as platform": {"platform": SQL},
    "no identifier": {"identifier": ""},
    "identifier without country": {"platform": "phone", "identifier": "612 345 678"},
    "identifier is sql": {"identifier": SQL},
    "identifier too long": {"identifier": "+" + "9" * 400},
    "identifier with zero": {"identifier": "+34612\x00345678"},
    "identifier with half of a pair": {"identifier": SURROGATE},
    "e-mail is no e-mail": {"platform": "email", "identifier": SQL},
    "extra field": {"tenant_id": str(uuid4())},
    "message_id too long": {"message_id": "x" * 201},
    "message_id with zero": {"message_id": ZERO},
    "message_id with half of a pair": {"message_id": SURROGATE},
    "stay is a text": {"stay": "tomorrow"},
    "stay without end": {"stay": {"arrival": in_days(1), "guests": 2}},
    "stay with extra": {"stay": stay() | {"hotel": "another"}},
    "stay in the past": {"stay": stay() | {"arrival": in_days(-5)}},
    "stay in the far future": {"stay": stay() | {"arrival": in_days(800), "departure": in_days(801)}},
    "stay in year 9999": {"stay": stay() | {"arrival": "9999-12-30", "departure": "9999-12-31"}},
    "stay backwards": {"stay": stay() | {"arrival": in_days(6)}},
    "stay of no night": {"stay": {"arrival": in_days(3), "departure": in_days(3), "guests": 1}},
    "stay of 61 nights": {"stay": stay() | {"departure": in_days(64)}},
    "day that is none": {"stay": stay() | {"arrival": "2027-02-30"}},
    "day as a number": {"stay": stay() | {"arrival": 1_795_000_000}},
    "day with a time": {"stay": stay() | {"arrival": f"{in_days(3)}T00:00:00Z"}},
    "day is sql": {"stay": stay() | {"arrival": SQL}},
    "no guests": {"stay": stay() | {"guests": 0}},
    "too many guests": {"stay": stay() | {"guests": 21}},
    "guests beyond any column": {"stay": stay() | {"guests": 10**30}},
    "guests as text": {"stay": stay() | {"guests": "2"}},
    "guests as truth": {"stay": stay() | {"guests": True}},
    "half a guest": {"stay": stay() | {"guests": 1.5}},
}

QUERIES = (
    "/v1/sessions?state=open",
    "/v1/sessions?limit=0",
    "/v1/sessions?limit=501",
    "/v1/sessions?limit=99999999999999999999",
    "/v1/sessions?limit=%F1",
    f"/v1/sessions?cursor={SQL}",
    "/v1/sessions?cursor=%00",
    f"/v1/sessions?cursor={'A' * 44}",
    f"/v1/sessions?cursor={'A' * 10_000}",
    "/v1/sessions?tenant_id=all",
    "/v1/sessions/1",
    f"/v1/sessions/{SQL}",
    "/v1/holds?session_id=1",
    "/v1/audit?page=0",
    "/v1/audit?page=-1",
    "/v1/audit?page=1e9",
    "/v1/audit?page=99999999999999999999",
    "/v1/audit?page_size=0",
    "/v1/audit?page_size=501",
    "/v1/audit?page=1&cursor=",
    "/v1/audit?page=1&q=row",
    "/v1/audit?q=ro",
    f"/v1/audit?q={'x' * 201}",
    "/v1/audit?q=row%00update",
    "/v1/audit?q=row&severity=info",
    "/v1/audit?severity=bad",
    "/v1/audit?event_type=%00",
    f"/v1/audit?event_type={'x' * 101}",
    "/v1/audit?since=yesterday",
    "/v1/audit?since=2026-11-23T10:00:00",
    "/v1/audit?since=0001-01-01T00:00:00%2B14:00",
    "/v1/audit?until=9999-12-31T23:59:59-12:00",
    "/v1/audit?user_id=0",
    "/v1/rates",
    f"/v1/rates?arrival={in_days(3)}&departure=tomorrow",
    f"/v1/rates?arrival={in_days(3)}&departure={in_days(3)}",
    f"/v1/rates?arrival={in_days(3)}&departure={in_days(2)}",
    f"/v1/rates?arrival={in_days(3)}&departure={in_days(64)}",
    f"/v1/rates?arrival={in_days(-5)}&departure={in_days(1)}",
    f"/v1/rates?arrival={in_days(900)}&departure={in_days(901)}",
    "/v1/audit/export?since=0001-01-01T00:00:00%2B14:00",
)

HOLDS: Cases = {
    "room with a slash": {"room": "2/4"},
    "room of dots": {"room": ".."},
    "room too long": {"room": "x" * 51},
    "no room": {"room": ""},
    "room with zero": {"room": "2\x00"},
    "room with half of a pair": {"room": "2\ud83c"},
    "room with a line": {"room": "2\n"},
    "night past": {"night": in_days(-3)},
    "night far ahead": {"night": in_days(900)},
    "night as a number": {"night": 20_000},
    "no time": {"seconds": 0},
    "negative time": {"seconds": -1},
    "two days": {"seconds": 2 * 86_400},
    "time beyond any column": {"seconds": 2**70},
    "session is no key": {"session_id": SQL},
    "extra field": {"fencing_token": 1},
}

TENANTS: Cases = {
    "no name": {"name": ""},
    "name too long": {"name": "x" * 201},
    "name with zero": {"name": ZERO},
    "name with half of a pair": {"name": SURROGATE},
    "unknown time zone": {"timezone": "Mars/Olympus"},
    "time zone with zero": {"timezone": "UTC\x00"},
    "settings are a list": {"settings": []},
    "settings too large": {"settings": {"x": "x" * 20_000}},
    "settings too deep": {"settings": {"x": [[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]}},
    "settings with zero": {"settings": {"x": ZERO}},
    "settings with half of a pair": {"settings": {"x": [SURROGATE]}},
    "name of a setting with zero": {"settings": {ZERO: 1}},
    "name of a setting with half of a pair": {"settings": {SURROGATE: 1}},
    "hotel is no code": {"settings": {"pms_hotel": "../rates"}},
    "hotel is a number": {"settings": {"pms_hotel": 417}},
}


@pytest.mark.asyncio
async def test_bad_messages(house: House) -> None:
    before = house.contents()
    for what, changed in MESSAGES.items():
        answer = await house.write(**changed)
        assert answer.status_code == 422, f"{what}: {answer.text}"
        is_problem(answer, 422)
    assert house.contents() == before


@pytest.mark.asyncio
async def test_bad_queries(house: House) -> None:
    before = house.contents()
    for path in QUERIES:
        answer = await house.http.get(path, headers=house.ours)
        assert answer.status_code == 422, f"{path}: {answer.text}"
        is_problem(answer, 422)
    assert house.contents() == before


@pytest.mark.asyncio
async def test_bad_holds(house: House) -> None:
    session = (await house.write()).json()["session_id"]
    good = {"session_id": session, "room": "204", "night": in_days(1), "seconds": 60}
    before = house.contents()
    for what, changed in HOLDS.items():
        answer = await house.send("POST", "/v1/holds", good | changed, house.ours)
        assert answer.status_code == 422, f"{what}: {answer.text}"
    for path in (
        "/v1/holds/%00/2026-11-24/confirm",
        "/v1/holds/204/tomorrow/confirm",
        "/v1/holds/204/1795000000/confirm",
    ):
        answer = await house.send("POST", path, {"session_id": session}, house.ours)
        assert answer.status_code == 422, f"{path}: {answer.text}"
    assert house.contents() == before


@pytest.mark.asyncio
async def test_bad_versions(house: House) -> None:
    session = (await house.write()).json()["session_id"]
    before = house.contents()
    for version in (0, -1, 2**63, "1", 1.5, True, None, [1]):
        answer = await house.send("POST", f"/v1/sessions/{session}/close", {"version": version}, house.ours)
        assert answer.status_code == 422, f"{version}: {answer.text}"
    stale = await house.send("POST", f"/v1/sessions/{session}/close", {"version": 2**63 - 1}, house.ours)
    is_problem(stale, 409)
    assert house.contents() == before


@pytest.mark.asyncio
async def test_bad_tenants_identifiers_and_tokens(house: House) -> None:
    path = f"/v1/tenants/{house.hotel.ours.tenant_id}"
    before = house.contents()
    for what, changed in TENANTS.items():
        made = await house.send("POST", "/v1/tenants", {"name": "C"} | changed, OPERATOR)
        kept = await house.send("PATCH", path, changed, OPERATOR)
        assert (made.status_code, kept.status_code) == (422, 422), f"{what}: {made.text} {kept.text}"
    for changed in ({"value": SQL}, {"value": ""}, {"value": ZERO}, {"platform": "fax"}, {"user_id": "1"}):
        wanted = {"platform": "whatsapp", "value": "+34 600 100 200"} | changed
        answer = await house.send("POST", f"{path}/identifiers", wanted, OPERATOR)
        assert answer.status_code == 422, answer.text
    taken = {"platform": "whatsapp", "value": "+34 699 999 999"}
    is_problem(await house.send("POST", f"{path}/identifiers", taken, OPERATOR), 409)
    for changed in (
        {"name": ""},
        {"name": ZERO},
        {"name": SURROGATE},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "9999-12-31T23:59:59-12:00"},
        {"expires_at": in_days(3)},
    ):
        answer = await house.send("POST", f"{path}/tokens", {"name": "x"} | changed, OPERATOR)
        assert answer.status_code == 422, f"{changed}: {answer.text}"
    assert house.contents() == before
