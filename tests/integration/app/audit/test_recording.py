"""Recording events: all of them reach the trail once, also when PostgreSQL was away, and none is dropped silently."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from app.core.database import Database
from app.core.errors import Invalid, Unavailable
from app.core.ids import uuid7
from app.core.tenancy import TenantScope
from app.db.audit_writing import AuditRow
from app.services.security.audit_logger import AuditLogger
from app.services.security.events import AuditEvent
from app.services.security.outbox import AuditOutbox, OutboxLimits
from app.services.security.spool import Spool, SpoolFull

Connection = psycopg.Connection[tuple[object, ...]]
LIMITS = OutboxLimits(capacity=50, batch=20, linger=0.01, retry=0.1)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "audit.spool")


@pytest_asyncio.fixture
async def outbox(hotel: Database, spool: Spool) -> AsyncIterator[AuditOutbox]:
    made = AuditOutbox(hotel, spool, LIMITS)
    made.start()
    yield made
    await made.close(5)


def event(tenant: UUID, **values: object) -> AuditEvent:
    return AuditEvent(**{"tenant_id": tenant, "event_type": "access.denied", **values})  # type: ignore[arg-type]


def stored(owner: Connection) -> list[object]:
    return [row[0] for row in owner.execute("select id from audit_logs order by id").fetchall()]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


@contextmanager
def away(owner: Connection, connect: Callable[[str], Connection], dsn: str) -> Iterator[None]:
    """No connection to the database stands, and none can be made, but the owner's."""
    name = owner.info.dbname
    outside = connect(dsn.replace(f"/{name}", "/postgres"))
    outside.execute(f'alter database "{name}" allow_connections false'.encode())
    outside.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> %s",
        [name, owner.info.backend_pid],
    )
    yield
    outside.execute(f'alter database "{name}" allow_connections true'.encode())


@pytest.mark.asyncio
async def test_an_event_is_in_the_trail_with_secrets_masked(
    hotel: Database, outbox: AuditOutbox, owner: Connection, tenants: list[UUID]
) -> None:
    logger = AuditLogger(hotel, outbox, TenantScope(tenants[1], "user:1", "request-1"))
    made = event(
        tenants[1],
        severity="warning",
        user_id=UUID(int=7),
        resource="room:101",
        request_id="o'neil\"<script>,\n🏨",
        details={"password": "hunter2", "room": "1\x00"},
    )
    await logger.record(made)
    await outbox.flush(5)
    rows, total = await logger.get_audit_logs(tenants[1])
    assert total == 1
    (row,) = rows
    assert row.details == {"password": "***", "room": "1\ufffd"}
    assert (row.id, row.timestamp, row.severity, row.user_id) == (made.id, made.timestamp, "warning", UUID(int=7))
    assert (row.resource, row.request_id) == ("room:101", "o'neil\"<script>,\n🏨")


@pytest.mark.asyncio
async def test_many_events_are_written_in_few_statements(
    outbox: AuditOutbox, owner: Connection, tenants: list[UUID]
) -> None:
    events = [event(tenant) for tenant in tenants for _ in range(20)]
    await asyncio.gather(*map(outbox.put, events))
    await outbox.flush(5)
    assert stored(owner) == sorted(made.id for made in events)
    transactions = owner.execute("select count(distinct xmin::text) from audit_logs").fetchone()
    assert transactions is not None
    assert int(str(transactions[0])) <= 3


@pytest.mark.asyncio
async def test_events_of_an_absence_are_spooled_and_replayed_once(
    outbox: AuditOutbox,
    spool: Spool,
    owner: Connection,
    tenants: list[UUID],
    connect: Callable[[str], Connection],
    dsn: str,
) -> None:
    events = [event(tenants[0]) for _ in range(120)]
    with away(owner, connect, dsn):
        for made in events[:90]:
            await outbox.put(made)
        await outbox.flush(10)
        assert stored(owner) == []
        assert spool.size() > 0
    for made in events[90:]:
        await outbox.put(made)
    await until(lambda: len(stored(owner)) == len(events) and spool.size() == 0)
    assert stored(owner) == sorted(made.id for made in events)
    assert outbox.figures.spooled == outbox.figures.replayed >= 90


@pytest.mark.asyncio
async def test_what_was_written_although_the_answer_was_lost_is_there_once(
    hotel: Database, spool: Spool, owner: Connection, tenants: list[UUID]
) -> None:
    events = [event(tenants[0]) for _ in range(30)]
    rows: list[AuditRow] = [made.to_row() for made in events]
    for _ in range(2):
        spool.add(rows)
    outbox = AuditOutbox(hotel, spool, LIMITS)
    outbox.start()
    for made in events:
        await outbox.put(made)
    await outbox.flush(10)
    await outbox.close(5)
    assert stored(owner) == sorted(made.id for made in events)
    assert spool.size() == 0


@pytest.mark.asyncio
async def test_two_processes_replay_one_spool_without_loss(
    hotel: Database, spool: Spool, owner: Connection, tenants: list[UUID], tmp_path: Path
) -> None:
    events = [event(tenants[0]) for _ in range(200)]
    boxes = [AuditOutbox(hotel, Spool(tmp_path / "audit.spool"), LIMITS) for _ in range(2)]
    for made in events[:100]:
        spool.add([made.to_row()])
    for box in boxes:
        box.start()
    for made in events[100:]:
        await asyncio.to_thread(spool.add, [made.to_row()])
    await until(lambda: spool.size() == 0)
    for box in boxes:
        await box.close(5)
    assert stored(owner) == sorted(made.id for made in events)


@pytest.mark.asyncio
async def test_a_full_queue_spools(hotel: Database, spool: Spool, owner: Connection, tenants: list[UUID]) -> None:
    outbox = AuditOutbox(hotel, spool, OutboxLimits(capacity=5, batch=5, linger=0.01, retry=0.1))
    events = [event(tenants[0]) for _ in range(20)]
    for made in events:
        await outbox.put(made)
    assert outbox.figures.spooled == 15
    outbox.start()
    await until(lambda: len(stored(owner)) == 20)
    await outbox.close(5)
    assert stored(owner) == sorted(made.id for made in events)


@pytest.mark.asyncio
async def test_where_nothing_can_keep_an_event_the_caller_hears_of_it(
    hotel: Database, tenants: list[UUID], tmp_path: Path
) -> None:
    outbox = AuditOutbox(hotel, Spool(tmp_path / "spool", largest=10), OutboxLimits(capacity=1))
    await outbox.put(event(tenants[0]))
    with pytest.raises(Unavailable):
        await outbox.put(event(tenants[0]))
    with pytest.raises(SpoolFull):
        await outbox.close(5)


@pytest.mark.asyncio
async def test_while_neither_database_nor_spool_takes_events_they_wait(
    hotel: Database,
    owner: Connection,
    tenants: list[UUID],
    tmp_path: Path,
    connect: Callable[[str], Connection],
    dsn: str,
) -> None:
    outbox = AuditOutbox(hotel, Spool(tmp_path / "spool", largest=10), LIMITS)
    events = [event(tenants[0]) for _ in range(30)]
    outbox.start()
    with away(owner, connect, dsn):
        for made in events:
            await outbox.put(made)
        with pytest.raises(TimeoutError):
            await outbox.flush(0.5)
    await outbox.flush(10)
    await outbox.close(5)
    assert stored(owner) == sorted(made.id for made in events)


@pytest.mark.asyncio
async def test_an_event_of_no_tenant_is_put_aside_and_takes_no_other_along(
    outbox: AuditOutbox, spool: Spool, owner: Connection, tenants: list[UUID]
) -> None:
    good = [event(tenants[0]) for _ in range(15)]
    bad = event(uuid7())
    for made in (*good[:7], bad, *good[7:]):
        await outbox.put(made)
    await outbox.flush(5)
    assert stored(owner) == sorted(made.id for made in good)
    assert str(bad.id) in spool.rejected.read_text()
    assert outbox.figures.rejected == 1


@pytest.mark.asyncio
async def test_closing_carries_what_is_there_and_takes_no_more(
    hotel: Database, spool: Spool, owner: Connection, tenants: list[UUID]
) -> None:
    outbox = AuditOutbox(hotel, spool, LIMITS)
    outbox.start()
    events = [event(tenants[0]) for _ in range(45)]
    for made in events:
        await outbox.put(made)
    await outbox.close(5)
    assert stored(owner) == sorted(made.id for made in events)
    with pytest.raises(Unavailable, match="closing"):
        await outbox.put(event(tenants[0]))


@pytest.mark.asyncio
async def test_what_cannot_be_written_before_closing_is_spooled(
    hotel: Database,
    spool: Spool,
    owner: Connection,
    tenants: list[UUID],
    connect: Callable[[str], Connection],
    dsn: str,
) -> None:
    events = [event(tenants[0]) for _ in range(45)]
    outbox = AuditOutbox(hotel, spool, LIMITS)
    outbox.start()
    blocker = connect(dsn)
    with blocker.transaction():
        blocker.execute("lock table audit_logs")
        for made in events:
            await outbox.put(made)
        await outbox.close(0.2)
    assert {row.id for row in spool.read(0, 100).rows} == {made.id for made in events}


@pytest.mark.asyncio
async def test_nobody_records_what_only_the_database_may(tenants: list[UUID]) -> None:
    with pytest.raises(Invalid, match="database only"):
        event(tenants[0], event_type="row.delete")


@pytest.mark.asyncio
async def test_an_outbox_that_ended_by_an_error_is_begun_again_and_loses_nothing(
    hotel: Database, tmp_path: Path, owner: Connection, tenants: list[UUID]
) -> None:
    place = tmp_path / "spool"
    place.mkdir()
    (place / "what a spool is not").touch()
    outbox = AuditOutbox(hotel, Spool(place), LIMITS)
    outbox.start()
    await until(lambda: "audit-outbox" not in {task.get_name() for task in asyncio.all_tasks()})
    made = event(tenants[0])
    await outbox.put(made)
    (place / "what a spool is not").unlink()
    place.rmdir()
    outbox.start()
    await outbox.flush(15)
    assert stored(owner) == [made.id]
    await outbox.close(5)
    outbox.start()
    assert "audit-outbox" not in {task.get_name() for task in asyncio.all_tasks()}
