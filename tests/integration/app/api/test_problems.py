"""Every error is a problem's document, names the request, and says nothing of what was sent or of what broke."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from dbvitals.sandbox import PostgresServer
from tests.integration.app.api.ground import GUEST, OPERATOR, House, is_problem

MESSAGE = GUEST | {"text": "Hola"}
NO_JSON = {
    "half": b"{",
    "no utf-8": b"\xff\xfe",
    "utf-16": '{"text": "\u00f1"}'.encode("utf-16"),
    "nan": b'{"text": NaN}',
    "deep list": b"[" * 60_000,
    "deep object": b'{"a":' * 10_000,
    "long number": b"1" * 5_000,
}


@pytest.fixture
def postgres(pg18: PostgresServer) -> PostgresServer:
    """One server is enough: nothing here depends on which."""
    return pg18


async def in_chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(0, size, 8192):
        yield b" " * 8192


@pytest.mark.asyncio
async def test_what_is_not_there_and_what_is_not_allowed(house: House) -> None:
    is_problem(await house.http.get("/v1/nothing"), 404)
    is_problem(await house.http.get("/v1/sessions/"), 404)
    wrong_method = await house.http.put("/v1/messages", json=MESSAGE)
    is_problem(wrong_method, 405)
    assert wrong_method.headers["allow"] == "POST"
    unknown = await house.http.get("/v1/sessions")
    is_problem(unknown, 401)
    assert unknown.headers["www-authenticate"] == "Bearer"
    is_problem(await house.http.get("/v1/tenants", headers=house.ours), 403)


@pytest.mark.asyncio
async def test_bodies_are_bounded_whether_their_length_is_stated_or_not(house: House) -> None:
    before = house.contents()
    headers = {**house.ours, "Content-Type": "application/json"}
    stated = await house.http.post("/v1/messages", content=b" " * 100_000, headers=headers)
    is_problem(stated, 413)
    claimed = await house.http.post("/v1/messages", content=b"{}", headers={**headers, "Content-Length": "9" * 5_000})
    is_problem(claimed, 413)
    chunked = await house.http.post("/v1/messages", content=in_chunks(100_000), headers=headers)
    is_problem(chunked, 413)
    assert "content-length" not in chunked.request.headers
    largest = json.dumps(MESSAGE).encode().ljust(64 * 1024)
    assert house.contents() == before
    taken = await house.http.post("/v1/messages", content=largest, headers=headers)
    assert taken.status_code == 200


@pytest.mark.asyncio
async def test_only_json_is_taken(house: House) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "text/json", ""):
        headers = {**house.ours, **({"Content-Type": content_type} if content_type else {})}
        answer = await house.http.post("/v1/messages", content=json.dumps(MESSAGE).encode(), headers=headers)
        is_problem(answer, 415)


@pytest.mark.asyncio
async def test_bodies_that_are_no_json_are_refused(house: House) -> None:
    before = house.contents()
    headers = {**house.ours, "Content-Type": "application/json"}
    is_problem(await house.http.post("/v1/messages", content=b"", headers=headers), 422)
    for what, body in NO_JSON.items():
        answer = await house.http.post("/v1/messages", content=body, headers=headers)
        assert answer.status_code == 400, f"{what}: {answer.text}"
        is_problem(answer, 400)
    assert house.contents() == before


@pytest.mark.asyncio
async def test_what_is_wrong_is_named_without_what_was_sent(house: House) -> None:
    wrong = MESSAGE | {"text": 417_417, "identifier": "", "sécrét-name": 1}
    answer = await house.http.post("/v1/messages", json=wrong, headers=house.ours)
    document = is_problem(answer, 422)
    errors = document["errors"]
    assert isinstance(errors, list)
    assert [error["where"] for error in errors] == ["body.identifier", "body.text", "body.sécrét-name"]
    assert "417" not in answer.text.replace(str(document["request_id"]), "")


@pytest.mark.asyncio
async def test_names_that_cannot_be_encoded_are_no_fault_of_the_service(house: House) -> None:
    body = b'{"\\ud800": 1, "platform": "whatsapp\\u0000"}'
    headers = {**house.ours, "Content-Type": "application/json"}
    is_problem(await house.http.post("/v1/messages", content=body, headers=headers), 422)


@pytest.mark.asyncio
async def test_parameters_that_are_not_known_are_refused(house: House) -> None:
    document = is_problem(await house.http.get("/v1/audit?serverity=error", headers=house.ours), 422)
    assert "severity" in str(document["detail"])
    assert "serverity" not in str(document["detail"])


@pytest.mark.asyncio
async def test_a_plain_request_id_is_kept_and_any_other_made(house: House) -> None:
    for given in ("channel-417/8", "x" * 100):
        answer = await house.http.get("/health/live", headers={"X-Request-ID": given})
        assert answer.headers["x-request-id"] == given
    for given in ("x" * 101, "two words", '{"a": 1}', ""):
        answer = await house.http.get("/health/live", headers={"X-Request-ID": given})
        assert answer.headers["x-request-id"] not in ("", given)


@pytest.mark.asyncio
async def test_the_audit_trail_names_the_request(house: House) -> None:
    headers = {**house.ours, "X-Request-ID": "channel-417"}
    assert (await house.http.post("/v1/messages", json=MESSAGE, headers=headers)).status_code == 200
    row = house.hotel.one("select count(*) from audit_logs where request_id = %s", "channel-417")
    assert row == (1,)


@pytest.mark.asyncio
async def test_an_error_of_ours_is_told_to_the_log_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(*_: object) -> None:
        raise RuntimeError("the secret of +34 612 345 678")

    monkeypatch.setattr(type(house.parts.sessions), "listed", breaks)
    transport = httpx.ASGITransport(house.application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        answer = await client.get("/v1/sessions", headers=house.ours)
    document = is_problem(answer, 500)
    assert "secret" not in answer.text
    assert "RuntimeError" not in answer.text
    assert document["detail"] == "something went wrong in the service"


@pytest.mark.asyncio
async def test_answers_are_not_kept_by_anyone_on_their_way(house: House) -> None:
    answer = await house.http.get("/v1/tenants", headers=OPERATOR)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
