"""Pages of the audit trail: together the whole of it, in order, with the exact total, whatever is counted already."""

import asyncio
import itertools
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from app.core.database import Database
from app.core.errors import Invalid, NotFound
from app.core.ids import uuid7
from app.db.audit_reading import AuditFilter, Whose, counted_page
from app.services.audit_rollup import AuditRollup
from app.services.security.audit_logger import AuditLogger
from tests.integration.app.audit.conftest import NOON, Connection, add_rows, settings_for
from tests.integration.app.audit.reading import all_ids, cursors, logger_of, pages

Connect = Callable[[str], Connection]
DAY = 24 * 60
SPREAD = [*range(40), 700, 720, 721, *[DAY] * 7, *range(DAY + 700, DAY + 760, 3), 30 * DAY, 400 * DAY]


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [7, 500])
async def test_pages_are_the_whole_trail_before_and_after_it_is_counted(
    hotel: Database, owner: Connection, tenants: list[UUID], size: int
) -> None:
    for tenant in tenants:
        add_rows(owner, tenant, SPREAD)
    for _ in range(3):
        for viewer in (tenants[0], tenants[1], None):
            logger = logger_of(hotel, viewer)
            wanted = all_ids(owner, viewer)
            assert await pages(logger, viewer, size) == wanted
            assert await cursors(logger, viewer, size) == wanted
            assert [row.id async for row in logger.iter_audit_logs(viewer)] == wanted
        assert await AuditRollup(hotel).run_once()
        add_rows(owner, tenants[1], [0, 5, DAY, 31 * DAY])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.lists(st.sampled_from([0, 1, 719, 720, 721, DAY, DAY, 2 * DAY, 9 * DAY]), max_size=15) | st.just("count"),
        max_size=6,
    ),
    size=st.integers(1, 9),
)
def test_any_rows_in_any_order_of_arrival(dsn: str, owner: Connection, steps: list[list[int] | str], size: int) -> None:
    tenant = uuid7()
    owner.execute("insert into tenants (id, name) values (%s, 'Hotel')", [tenant])

    async def run() -> None:
        hotel = Database(settings_for(dsn))
        try:
            for step in steps:
                if isinstance(step, list):
                    add_rows(owner, tenant, step)
                else:
                    assert await AuditRollup(hotel).run_once()
            logger = logger_of(hotel, tenant)
            assert await pages(logger, tenant, size) == all_ids(owner, tenant)
            assert await cursors(logger, tenant, size) == all_ids(owner, tenant)
        finally:
            await hotel.close()

    asyncio.run(run())


@pytest.mark.asyncio
async def test_a_row_that_is_committed_after_later_ones_were_counted_is_not_lost(
    hotel: Database, owner: Connection, tenants: list[UUID], dsn: str, connect: Connect
) -> None:
    tenant, slow = tenants[0], connect(dsn)
    logger = logger_of(hotel, tenant)
    with slow.transaction():
        add_rows(slow, tenant, [3 * DAY])
        add_rows(owner, tenant, [0, 1, 2])
        assert not await AuditRollup(hotel, patience=timedelta(seconds=0.2)).run_once()
        assert (await logger.get_audit_logs(tenant))[1] == 3
    assert (await logger.get_audit_logs(tenant))[1] == 4
    assert await AuditRollup(hotel).run_once()
    assert await pages(logger, tenant, 2) == all_ids(owner, tenant)
    assert owner.execute("select sum(n) from audit_days where tenant_id = %s", [tenant]).fetchall() == [(4,)]


@pytest.mark.asyncio
async def test_a_transaction_that_began_before_the_count_and_writes_after_it_is_not_lost(
    hotel: Database, owner: Connection, tenants: list[UUID], dsn: str, connect: Connect
) -> None:
    tenant, slow = tenants[0], connect(dsn)
    with slow.transaction():
        slow.execute("select now()")
        add_rows(owner, tenant, [0, 1, 2])
        assert await AuditRollup(hotel).run_once()
        add_rows(slow, tenant, [0, 3 * DAY])
    assert await pages(logger_of(hotel, tenant), tenant, 2) == all_ids(owner, tenant)
    assert await AuditRollup(hotel).run_once()
    assert await pages(logger_of(hotel, tenant), tenant, 2) == all_ids(owner, tenant)


@pytest.mark.asyncio
async def test_counting_by_many_beside_writers_counts_every_row_once(
    hotel: Database, owner: Connection, tenants: list[UUID], dsn: str, connect: Connect
) -> None:
    tenant = tenants[0]
    writers = [connect(dsn) for _ in range(3)]
    logger = logger_of(hotel, tenant)

    async def write(writer: Connection) -> None:
        for number in range(25):
            await asyncio.to_thread(add_rows, writer, tenant, [number % 5, number * 100, 3 * DAY])

    async def count() -> None:
        for _ in range(6):
            await AuditRollup(hotel).run_once()

    async def read() -> None:
        before = 0
        while before < 225:
            rows, total = await logger.get_audit_logs(tenant, 1, 500)
            assert len(rows) == total >= before
            before = total

    async with asyncio.timeout(60):
        await asyncio.gather(*map(write, writers), count(), count(), count(), read())
    assert await AuditRollup(hotel).run_once()
    counted = owner.execute("select n from audit_days where tenant_id = %s order by day", [tenant]).fetchall()
    found = owner.execute(
        "select count(*) from audit_logs where tenant_id = %s group by (\"timestamp\" at time zone 'UTC')::date"
        " order by (\"timestamp\" at time zone 'UTC')::date",
        [tenant],
    ).fetchall()
    assert counted == found
    assert sum(int(str(n)) for (n,) in counted) == 225


@pytest.mark.asyncio
async def test_counting_again_changes_nothing(hotel: Database, owner: Connection, tenants: list[UUID]) -> None:
    add_rows(owner, tenants[0], SPREAD)
    await AuditRollup(hotel).run_once()
    before = owner.execute("select tenant_id, day, n, counted_to from audit_days order by 1, 2").fetchall()
    for _ in range(3):
        assert await AuditRollup(hotel).run_once()
    assert owner.execute("select tenant_id, day, n, counted_to from audit_days order by 1, 2").fetchall() == before


@pytest.mark.asyncio
async def test_rows_from_before_the_trail_was_numbered_are_counted(
    hotel: Database, owner: Connection, tenants: list[UUID]
) -> None:
    add_rows(owner, tenants[0], SPREAD, arrival=0)
    logger = logger_of(hotel, tenants[0])
    for _ in range(2):
        assert await pages(logger, tenants[0], 20) == all_ids(owner, tenants[0])
        assert await AuditRollup(hotel).run_once()


FILTERS = [
    AuditFilter(event_type="denied"),
    AuditFilter(severity="critical"),
    AuditFilter(event_type="login", severity="info"),
    AuditFilter(user_id=UUID(int=7)),
    AuditFilter(since=NOON - timedelta(minutes=720), until=NOON - timedelta(minutes=5)),
    AuditFilter(event_type="o'neil\"%_"),
]


@pytest.mark.asyncio
async def test_filtered_pages_have_the_rows_and_the_total_of_the_filter(
    hotel: Database, owner: Connection, tenants: list[UUID]
) -> None:
    for tenant in tenants:
        add_rows(owner, tenant, SPREAD)
        add_rows(owner, tenant, SPREAD[::2], event_type="denied", severity="critical", user_id=UUID(int=7))
    for viewer in (tenants[0], None):
        logger = logger_of(hotel, viewer)
        everything = [row async for row in logger.iter_audit_logs(viewer)]
        for wanted in FILTERS:
            kept = [row.id for row in everything if matches(row, wanted)]
            assert await filtered_pages(logger, viewer, wanted) == (kept, len(kept)), wanted
            assert [row.id async for row in logger.iter_audit_logs(viewer, wanted)] == kept
            page = await logger.get_audit_page(viewer, None, 500, wanted)
            assert [row.id for row in page.rows] == kept


async def filtered_pages(logger: AuditLogger, tenant: UUID | None, wanted: AuditFilter) -> tuple[list[object], int]:
    """Keys of all rows that a filter means, page by page, and the total that was told last."""
    found: list[object] = []
    for number in itertools.count(1):
        rows, total = await logger.get_audit_logs(tenant, number, 20, wanted)
        if not rows:
            break
        found += [row.id for row in rows]
    return found, total


def matches(row: object, wanted: AuditFilter) -> bool:
    """The filter in Python's words."""
    same = (getattr(wanted, name) in (None, getattr(row, name)) for name in ("user_id", "event_type", "severity"))
    moment = getattr(row, "timestamp")  # noqa: B009  # the row's type is not the point
    return all(same) and (wanted.since or moment) <= moment and (wanted.until is None or moment < wanted.until)


@pytest.mark.asyncio
async def test_a_tenant_reads_its_own_trail_only(hotel: Database, owner: Connection, tenants: list[UUID]) -> None:
    ours, theirs = tenants
    add_rows(owner, theirs, [0, 1, 2])
    await AuditRollup(hotel).run_once()
    logger = logger_of(hotel, ours)
    assert await logger.get_audit_logs(ours) == ([], 0)
    with pytest.raises(NotFound):
        await logger.get_audit_logs(theirs)
    with pytest.raises(NotFound):
        await logger.get_audit_page(theirs)
    with pytest.raises(Invalid, match="operator"):
        await logger.get_audit_logs()
    with pytest.raises(Invalid, match="operator"):
        [row async for row in logger.iter_audit_logs()]
    assert (await logger_of(hotel, None).get_audit_logs())[1] == 3


@pytest.mark.asyncio
async def test_a_page_past_the_end_is_empty_and_knows_the_total(
    hotel: Database, owner: Connection, tenants: list[UUID]
) -> None:
    add_rows(owner, tenants[0], [0, 1, DAY])
    await AuditRollup(hotel).run_once()
    logger = logger_of(hotel, tenants[0])
    for page in (2, 3, 10**6, 10**30):
        assert await logger.get_audit_logs(tenants[0], page) == ([], 3)
    with pytest.raises(Invalid, match="page must"):
        await logger.get_audit_logs(tenants[0], 0)
    with pytest.raises(Invalid, match="page_size"):
        await logger.get_audit_page(tenants[0], None, 501)


@pytest.mark.asyncio
async def test_a_cursor_goes_on_where_it_was_while_rows_arrive(
    hotel: Database, owner: Connection, tenants: list[UUID]
) -> None:
    tenant = tenants[0]
    wanted = add_rows(owner, tenant, [10, 20, 30, 40])
    logger = logger_of(hotel, tenant)
    first = await logger.get_audit_page(tenant, None, 2)
    add_rows(owner, tenant, [0, 1, 2, 3])
    second = await logger.get_audit_page(tenant, first.next_cursor, 2)
    assert [row.id for row in (*first.rows, *second.rows)] == wanted
    assert second.next_cursor is None
    with pytest.raises(Invalid, match="another listing"):
        await logger.get_audit_page(tenant, first.next_cursor, 2, AuditFilter(event_type="login"))


@pytest.mark.asyncio
async def test_the_service_sees_its_own_counts_and_changes_none(
    dsn: str, hotel: Database, owner: Connection, tenants: list[UUID], connect: Connect
) -> None:
    add_rows(owner, tenants[0], [0])
    add_rows(owner, tenants[1], [0, DAY])
    await AuditRollup(hotel).run_once()
    service = connect(dsn.replace("postgres@", "audit_test_service@"))
    assert service.execute("select count(*) from audit_days").fetchall() == [(0,)]
    service.execute("select set_config('app.tenant_id', %s, false)", [str(tenants[1])])
    assert service.execute("select n from audit_days").fetchall() == [(1,), (1,)]
    for change in ("update audit_days set n = 5", "delete from audit_days", "truncate audit_days"):
        with pytest.raises(Exception, match="permission denied"):
            service.execute(change.encode())


def buffers(session: Connection, query: str) -> int:
    row = session.execute(f"explain (analyze, buffers, format json) {query}".encode()).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]  # type: ignore[index]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def test_the_last_page_and_the_total_read_a_fraction_of_what_offset_reads(
    dsn: str, owner: Connection, tenants: list[UUID], connect: Connect
) -> None:
    owner.execute(
        "insert into audit_logs (tenant_id, event_type, \"timestamp\") select (%s::uuid[])[1 + i %% 2], 'login',"
        " clock_timestamp() - (60000 - i) * interval '5 minutes' from generate_series(1, 60000) i",
        [tenants],
    )
    owner.execute("vacuum analyze audit_logs")

    async def count() -> None:
        hotel = Database(settings_for(dsn))
        try:
            assert await AuditRollup(hotel).run_once()
        finally:
            await hotel.close()

    asyncio.run(count())
    add_rows(owner, tenants[0], list(range(50)))
    service = connect(dsn.replace("postgres@", "audit_test_service@"))
    service.execute("select set_config('app.tenant_id', %s, false)", [str(tenants[0])])
    statement = counted_page(Whose.OWN).params(tenant=tenants[0], skipped=30_000, size=50)
    query = str(statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))  # type: ignore[no-untyped-call]
    by_counts = buffers(service, query)
    by_offset = buffers(service, 'select id from audit_logs order by "timestamp" desc, id desc offset 30000 limit 50')
    assert by_counts < 200
    assert by_offset > 4 * by_counts
