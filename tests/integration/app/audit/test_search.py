"""Search in the details: the tenant's rows only, by an index, as a plain member of hotel_service."""

import json
from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest
from psycopg import errors

from app.core.database import Database
from app.core.errors import Invalid
from tests.integration.app.audit.conftest import add_rows
from tests.integration.app.audit.reading import logger_of

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "text", ["RES-4711", "o'neil", 'say "hi"', "back\\slash", "100%", "a_b", "🏨 é", "x\ny", "<b>"]
)
async def test_a_text_is_found_in_the_own_tenants_details(
    hotel: Database, owner: Connection, tenants: list[UUID], text: str
) -> None:
    ours, theirs = tenants
    found = add_rows(owner, ours, [3, 1, 2], details=json.dumps({"note": f"before {text} after"}))
    add_rows(owner, ours, [0, 5], details=json.dumps({"note": "RES-1 aXb 1000 slash"}))
    add_rows(owner, theirs, [0, 1], details=json.dumps({"note": text}))
    logger = logger_of(hotel, ours)
    page = await logger.search(text.upper() if text.isascii() else text)
    assert [row.id for row in page.rows] == [found[1], found[2], found[0]]
    assert page.next_cursor is None


@pytest.mark.asyncio
async def test_matches_come_page_by_page(hotel: Database, owner: Connection, tenants: list[UUID]) -> None:
    minutes = [*range(10), 5, 5, 5]
    add_rows(owner, tenants[0], minutes, details='{"code": "RES-4711"}')
    logger = logger_of(hotel, tenants[0])
    page = await logger.search("res-4711", None, 4)
    rows = list(page.rows)
    while page.next_cursor:
        page = await logger.search("res-4711", page.next_cursor, 4)
        rows += page.rows
    assert [row.id for row in rows] == [row.id for row in (await logger.search("RES-4711", None, 500)).rows]
    assert len(rows) == len(minutes)


@pytest.mark.asyncio
@pytest.mark.parametrize("text", ["", "ab", "x" * 201, "a\x00bc", "abc\ud800"])
async def test_texts_that_cannot_be_searched_for_are_refused(hotel: Database, tenants: list[UUID], text: str) -> None:
    with pytest.raises(Invalid, match="text"):
        await logger_of(hotel, tenants[0]).search(text)


@pytest.mark.asyncio
async def test_an_operator_searches_no_trail(hotel: Database) -> None:
    with pytest.raises(Invalid, match="one tenant"):
        await logger_of(hotel, None).search("RES-4711")


def buffers(session: Connection, query: str) -> int:
    row = session.execute(f"explain (analyze, buffers, format json) {query}".encode()).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]  # type: ignore[index]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def test_a_search_reads_a_few_pages_where_a_filter_reads_the_tenants_rows(
    dsn: str, owner: Connection, tenants: list[UUID], connect: Callable[[str], Connection]
) -> None:
    owner.execute(
        "insert into audit_logs (tenant_id, event_type, details) select (%s::uuid[])[1 + i %% 2], 'login',"
        " jsonb_build_object('code', 'RES-' || i, 'note', repeat(md5(i::text), 3)) from generate_series(1, 30000) i",
        [tenants],
    )
    owner.execute("vacuum analyze audit_logs")
    service = connect(dsn.replace("postgres@", "audit_test_service@"))
    service.execute("select set_config('app.tenant_id', %s, false)", [str(tenants[0])])
    found = service.execute("select count(*) from search_audit_logs('res-29998', 50)").fetchall()
    assert found == [(1,)]
    searched = buffers(service, "select * from search_audit_logs('res-29998', 50)")
    filtered = buffers(service, "select id from audit_logs where details::text ilike '%res-29998%'")
    assert searched <= 60
    assert filtered > 15 * searched


def test_without_a_tenant_nothing_is_found_and_others_may_not_ask(
    dsn: str, owner: Connection, tenants: list[UUID], connect: Callable[[str], Connection]
) -> None:
    add_rows(owner, tenants[0], [0], details='{"code": "RES-4711"}')
    service = connect(dsn.replace("postgres@", "audit_test_service@"))
    assert service.execute("select * from search_audit_logs('RES-4711', 50)").fetchall() == []
    with pytest.raises(errors.InsufficientPrivilege):
        connect(dsn.replace("postgres@", "audit_test_admin@")).execute("select * from search_audit_logs('abc', 5)")
