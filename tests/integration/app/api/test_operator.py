"""What operators do over HTTP: hotels, their guests' identifiers, their tokens."""

import pytest

from tests.integration.app.api.ground import GUEST, OPERATOR, House, is_problem

ODD = "O'Neil\"s <script>,\n🏨"


@pytest.mark.asyncio
async def test_a_hotel_from_its_beginning_to_its_end_and_back(house: House) -> None:
    made = await house.send("POST", "/v1/tenants", {"name": ODD, "timezone": "Atlantic/Canary"}, OPERATOR)
    assert (made.status_code, made.json()["name"], made.json()["settings"]) == (201, ODD, {})
    path = f"/v1/tenants/{made.json()['id']}"
    changed = await house.send(
        "PATCH", path, {"name": "Miramar", "settings": {"a": [1, {"b": None}], "c": "x"}}, OPERATOR
    )
    assert changed.json()["settings"] == {"a": [1, {"b": None}], "c": "x"}
    changed = await house.send("PATCH", path, {"settings": {"c": None}}, OPERATOR)
    assert (changed.json()["name"], changed.json()["settings"]) == ("Miramar", {"a": [1, {"b": None}]})
    deleted = await house.http.delete(path, headers=OPERATOR)
    assert (deleted.status_code, bool(deleted.json()["deleted_at"])) == (200, True)
    is_problem(await house.http.get(path, headers=OPERATOR), 404)
    gone = (await house.http.get("/v1/tenants?which=deleted", headers=OPERATOR)).json()["items"]
    assert [tenant["id"] for tenant in gone] == [made.json()["id"]]
    restored = await house.http.post(f"{path}/restore", headers=OPERATOR)
    assert (restored.status_code, restored.json()["deleted_at"]) == (200, None)
    assert (await house.http.get(path, headers=OPERATOR)).json() == restored.json()


@pytest.mark.asyncio
async def test_hotels_are_listed_page_by_page(house: House) -> None:
    for number in range(3):
        await house.send("POST", "/v1/tenants", {"name": f"Hotel {number}"}, OPERATOR)
    first = (await house.http.get("/v1/tenants?limit=3", headers=OPERATOR)).json()
    second = (await house.http.get(f"/v1/tenants?limit=3&cursor={first['next_cursor']}", headers=OPERATOR)).json()
    names = [tenant["name"] for tenant in first["items"] + second["items"]]
    assert names[:3] == ["Hotel 2", "Hotel 1", "Hotel 0"]
    assert sorted(names[3:]) == ["A", "B"]
    assert second["next_cursor"] is None


@pytest.mark.asyncio
async def test_an_identifier_is_taken_from_one_hotel_and_given_to_another(house: House) -> None:
    ours, theirs = (f"/v1/tenants/{scope.tenant_id}/identifiers" for scope in (house.hotel.ours, house.hotel.theirs))
    assert (await house.write()).status_code == 200
    found = (await house.http.get(ours, headers=OPERATOR)).json()["items"]
    assert [item["value"] for item in found] == ["+34612345678"]
    wanted = {"platform": GUEST["platform"], "value": GUEST["identifier"]}
    is_problem(await house.send("POST", theirs, wanted, OPERATOR), 409)
    assert (await house.http.delete(f"{ours}/{found[0]['id']}", headers=OPERATOR)).status_code == 200
    moved = await house.send("POST", theirs, wanted, OPERATOR)
    assert moved.status_code == 201
    is_problem(await house.http.post(f"{ours}/{found[0]['id']}/restore", headers=OPERATOR), 409)
    assert (await house.http.delete(f"{theirs}/{moved.json()['id']}", headers=OPERATOR)).status_code == 200
    assert (await house.http.post(f"{ours}/{found[0]['id']}/restore", headers=OPERATOR)).status_code == 200
    assert (await house.http.get(f"{ours}?which=deleted", headers=OPERATOR)).json()["items"] == []


@pytest.mark.asyncio
async def test_a_token_is_shown_once_and_kept_as_a_hash(house: House) -> None:
    path = f"/v1/tenants/{house.hotel.ours.tenant_id}/tokens"
    made = (await house.send("POST", path, {"name": ODD, "expires_at": "2100-01-01T00:00:00Z"}, OPERATOR)).json()
    assert made["token"].startswith("aht_")
    listed = await house.http.get(path, headers=OPERATOR)
    assert made["token"] not in listed.text
    assert listed.json()["items"][0] == {name: value for name, value in made.items() if name != "token"}
    secret = made["token"].rpartition("_")[2]
    stored = house.hotel.owner.execute("select t::text from api_tokens t union all select a::text from audit_logs a")
    assert not any(secret in str(row[0]) for row in stored)
