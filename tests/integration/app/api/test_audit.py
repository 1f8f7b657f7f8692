"""The audit trail over HTTP: pages by number and by cursor, search, and the stream."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.integration.app.api.ground import House


def add_events(house: House, count: int) -> None:
    """Write events of our hotel, as its owner."""
    house.hotel.owner.execute(
        "insert into audit_logs (tenant_id, event_type, severity, details)"
        " select %s, 'login', case when n %% 10 = 0 then 'error' else 'info' end,"
        " jsonb_build_object('where', 'front desk ' || n)"
        " from generate_series(1, %s) n",
        [house.hotel.ours.tenant_id, count],
    )


async def page(house: House, query: str) -> dict[str, Any]:
    answer = await house.http.get(f"/v1/audit?{query}", headers=house.ours)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


@pytest.mark.asyncio
async def test_pages_by_number_and_by_cursor_hold_the_same_rows(house: House) -> None:
    add_events(house, 40)
    total = house.hotel.one("select count(*) from audit_logs where tenant_id = %s", house.hotel.ours.tenant_id)[0]
    numbered: list[object] = []
    for number in range(1, 9):
        found = await page(house, f"page={number}&page_size=7")
        assert (found["total"], found["page"]) == (total, number)
        numbered += [item["id"] for item in found["items"]]
    followed: list[object] = []
    cursor: object = ""
    while cursor is not None:
        found = await page(house, f"cursor={cursor}&page_size=7")
        followed += [item["id"] for item in found["items"]]
        cursor = found["next_cursor"]
    assert len(followed) == total
    assert numbered == followed[: len(numbered)]
    assert len(numbered) == min(8 * 7, len(followed))


@pytest.mark.asyncio
async def test_a_page_past_the_end_is_empty_and_knows_the_total(house: House) -> None:
    found = await page(house, "page=1000000")
    assert found["items"] == []
    assert (
        found["total"]
        == house.hotel.one("select count(*) from audit_logs where tenant_id = %s", house.hotel.ours.tenant_id)[0]
    )


@pytest.mark.asyncio
async def test_filters_narrow_both_kinds_of_pages(house: House) -> None:
    add_events(house, 40)
    numbered = await page(house, "severity=error&event_type=login&page_size=500")
    assert numbered["total"] == 4
    followed = await page(house, "severity=error&event_type=login&cursor=")
    assert [item["details"] for item in followed["items"]] == [item["details"] for item in numbered["items"]]
    assert (await page(house, "since=2199-01-01T00:00:00Z"))["items"] == []


@pytest.mark.asyncio
async def test_a_search_finds_texts_in_details(house: House) -> None:
    add_events(house, 40)
    first = await page(house, "q=FRONT%20desk&page_size=30")
    second = await page(house, f"q=FRONT%20desk&page_size=30&cursor={first['next_cursor']}")
    assert len(first["items"]) + len(second["items"]) == 40
    assert second["next_cursor"] is None
    assert [item["details"] for item in (await page(house, "q=desk%2017"))["items"]] == [{"where": "front desk 17"}]


@pytest.mark.asyncio
async def test_the_stream_has_every_row_in_order(house: House) -> None:
    add_events(house, 1_234)
    answer = await house.http.get("/v1/audit/export", headers=house.ours)
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    rows = house.hotel.owner.execute(
        'select id from audit_logs where tenant_id = %s order by "timestamp" desc, id desc',
        [house.hotel.ours.tenant_id],
    )
    assert [line["id"] for line in lines] == [str(row[0]) for row in rows]
    assert len(lines) > 1_234


@pytest.mark.asyncio
async def test_a_reader_who_stops_reading_keeps_no_connection(house: House) -> None:
    """Through ASGI itself: httpx's transport would read all of it before it gives anything."""
    add_events(house, 1_600)
    sent: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if message.get("body"):
            await sent.put(bytes(message["body"]))  # type: ignore[call-overload]

    request = httpx.Request("GET", "http://service/v1/audit/export", headers=house.ours)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("service", 80),
        "client": ("127.0.0.1", 1),
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
    }
    stream = asyncio.create_task(house.application(scope, receive, send))  # type: ignore[arg-type]
    async with asyncio.timeout(30):
        while not sent.full() or busy(house):
            await asyncio.sleep(0.01)
        # The next page is read by now, or waits to be; the reader has not taken the first one.
        await asyncio.sleep(0.2)
        assert busy(house) == 0
        count = 0
        while not stream.done() or not sent.empty():
            try:
                count += (await asyncio.wait_for(sent.get(), 0.5)).count(b"\n")
            except TimeoutError:
                continue
    await stream
    assert count > 1_600


def busy(house: House) -> int:
    """Connections in use, as the metrics say."""
    return house.parts.pools.observer.active
