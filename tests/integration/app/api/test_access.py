"""Who may do what: every route, without a token, with bad ones, with another hotel's, with the operator's."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import pytest

from app.api.health import router as open_router
from tests.integration.app.api.ground import ADMIN_TOKEN, OPERATOR, House, in_days, is_problem

NO_TOKENS = [
    "",
    "Bearer",
    "Bearer ",
    f"Basic {ADMIN_TOKEN}",
    f"Bearer {ADMIN_TOKEN}x",
    "Bearer aht_" + "0" * 32 + "_" + "A" * 43,
    f"Bearer {'x' * 5000}",
    "Bearer ñandú-ñandú-ñandú-ñandú",
    f"{ADMIN_TOKEN}",
]
OPEN = {getattr(route, "path", "") for route in open_router.routes}


def operations(house: House) -> Iterator[tuple[str, str]]:
    """Every method and path that OpenAPI names and that asks for a token, with ids of rows that are not there."""
    for path, methods in house.application.openapi()["paths"].items():
        if path not in OPEN:
            filled = path.replace("{room}", "204").replace("{night}", in_days(1))
            for name in ("session_id", "tenant_id", "identifier_id", "token_id"):
                filled = filled.replace(f"{{{name}}}", str(uuid4()))
            yield from ((method.upper(), filled) for method in methods)


async def send(house: House, method: str, path: str, authorization: str) -> httpx.Response:
    headers = {b"Content-Type": b"application/json", b"Authorization": authorization.encode("latin-1")}
    content = b"{}" if method in ("POST", "PATCH") else b""
    return await house.http.request(method, path, headers=headers, content=content)


@pytest.mark.asyncio
async def test_without_a_good_token_there_is_nothing(house: House) -> None:
    before = house.contents()
    for method, path in operations(house):
        for authorization in NO_TOKENS:
            answer = await send(house, method, path, authorization)
            is_problem(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"
    assert house.contents() == before


@pytest.mark.asyncio
async def test_a_hotels_program_may_not_do_what_operators_do_and_the_trail_hears_of_it_once(house: House) -> None:
    before = house.contents()
    tried = [operation for operation in operations(house) if operation[1].startswith("/v1/tenants")]
    assert len(tried) == 13
    for method, path in tried:
        is_problem(await send(house, method, path, house.ours["Authorization"]), 403)
    await house.parts.outbox.flush(30)
    found = house.hotel.one(
        "select count(*), min(details ->> 'actor'), min(resource) from audit_logs where event_type = 'access.denied'"
    )
    assert found[0] == 1
    assert str(found[1]).startswith("token:")
    assert {table: rows for table, rows in house.contents().items() if table != "audit_logs"} == {
        table: rows for table, rows in before.items() if table != "audit_logs"
    }


@pytest.mark.asyncio
async def test_another_hotels_rows_are_as_missing_as_what_is_not(house: House) -> None:
    session = UUID((await house.write()).json()["session_id"])
    night = {"room": "204", "night": in_days(1), "seconds": 60}
    placed = await house.http.post("/v1/holds", json=night | {"session_id": str(session)}, headers=house.ours)
    assert placed.status_code == 201, placed.text
    before = house.contents()
    ours = house.hotel.ours.tenant_id

    def attempts(row: UUID, tenant: UUID) -> list[tuple[str, str, object]]:
        hold = f"/v1/holds/204/{night['night']}"
        return [
            ("GET", f"/v1/sessions/{row}", None),
            ("POST", f"/v1/sessions/{row}/close", {"version": 1}),
            ("POST", "/v1/holds", night | {"session_id": str(row)}),
            ("POST", f"{hold}/confirm", {"session_id": str(row)}),
            ("DELETE", f"{hold}?session_id={row}", None),
            ("GET", f"/v1/sessions?tenant_id={tenant}", None),
            ("GET", f"/v1/holds?tenant_id={tenant}", None),
            ("GET", f"/v1/audit?tenant_id={tenant}", None),
            ("GET", f"/v1/audit/export?tenant_id={tenant}", None),
        ]

    for foreign, missing in zip(attempts(session, ours), attempts(uuid4(), uuid4()), strict=True):
        answers = [
            await house.http.request(method, path, json=body, headers=house.theirs)
            for method, path, body in (foreign, missing)
        ]
        documents = [is_problem(answer, 404) | {"request_id": ""} for answer in answers]
        assert documents[0] == documents[1], foreign
    after = house.contents()
    assert {table for table, rows in after.items() if rows != before[table]} <= {"audit_logs"}
    await house.parts.outbox.flush(30)
    denied = house.hotel.one("select count(*), min(tenant_id::text) from audit_logs where event_type = 'access.denied'")
    assert denied == (1, str(house.hotel.theirs.tenant_id))


@pytest.mark.asyncio
async def test_what_is_listed_is_ones_own(house: House) -> None:
    await house.write()
    for path in ("/v1/sessions", "/v1/holds", "/v1/audit"):
        theirs = (await house.http.get(path, headers=house.theirs)).json()["items"]
        assert all(
            item.get("tenant_id", str(house.hotel.theirs.tenant_id)) != str(house.hotel.ours.tenant_id)
            for item in theirs
        )
    assert (await house.http.get("/v1/sessions", headers=house.theirs)).json()["items"] == []
    assert len((await house.http.get("/v1/sessions", headers=house.ours)).json()["items"]) == 1


@pytest.mark.asyncio
async def test_the_operator_names_the_tenant_or_sees_the_trails_of_all(house: House) -> None:
    await house.write()
    is_problem(await house.http.get("/v1/sessions", headers=OPERATOR), 422)
    ours = house.hotel.ours.tenant_id
    named = await house.http.get(f"/v1/sessions?tenant_id={ours}", headers=OPERATOR)
    assert len(named.json()["items"]) == 1
    trail = (await house.http.get("/v1/audit?page_size=500", headers=OPERATOR)).json()
    assert {str(house.hotel.ours.tenant_id), str(house.hotel.theirs.tenant_id)} <= {
        item["tenant_id"] for item in trail["items"]
    }
    assert trail["total"] == house.hotel.one("select count(*) from audit_logs")[0]


@pytest.mark.asyncio
async def test_a_revoked_token_is_listed_no_more_and_cannot_be_revoked_again(
    house: House,
) -> None:
    path = f"/v1/tenants/{house.hotel.theirs.tenant_id}"
    listed = (await house.http.get(f"{path}/tokens", headers=OPERATOR)).json()["items"]
    assert "token" not in listed[0]
    revoked = await house.http.delete(f"{path}/tokens/{listed[0]['id']}", headers=OPERATOR)
    assert (revoked.status_code, revoked.content) == (204, b"")
    assert (await house.http.get(f"{path}/tokens", headers=OPERATOR)).json()["items"] == []
    is_problem(await house.http.delete(f"{path}/tokens/{listed[0]['id']}", headers=OPERATOR), 404)
