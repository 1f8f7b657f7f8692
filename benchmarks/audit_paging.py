"""Pages of the audit trail at any depth, with the exact total: `get_audit_logs()` beside OFFSET and count(*).

A year of rows of 50 tenants, of which the k-th has a k-th as many as the first; the figures are the first one's,
through the service's own login, session and policies, ORM objects included. Both ways answer from the same kind of
session, turn about, and must give the same rows and total. OFFSET sweeps the processor's caches, and ours is asked
right after it: "again" is the same call once more, as between others of its kind. The last rows are not counted into
their days yet, as between two runs of the roll-up. The page after the last one is empty: the total alone. The index
that searches details is left out: no page uses it, and building it takes longer than all else.
"""

import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import psycopg
import uvloop
from sqlalchemy import func, select

from app.core.database import Database
from app.core.settings import Settings
from app.core.tenancy import TenantScope
from app.db.migrate import upgrade
from app.db.tables import AuditLog
from app.services.audit_rollup import AuditRollup
from app.services.security.audit_logger import AuditLogger
from app.services.security.outbox import AuditOutbox
from app.services.security.spool import Spool
from benchmarks.report import show
from dbvitals.sandbox import PostgresServer, find_all_postgres, start_postgres

ROWS = {False: 200_000, True: 2_000_000}
# Rows that arrive after the last roll-up, of all tenants: those of a busy minute.
FRESH = 1_000
TENANTS = 50
PAGE_SIZE = 50
RUNS = 21

PREPARE = """
CREATE ROLE bench_service LOGIN IN ROLE hotel_service;
CREATE ROLE bench_admin LOGIN IN ROLE hotel_admin;
DROP INDEX idx_audit_logs_tenant_id_details;
INSERT INTO tenants (name) SELECT 'Hotel ' || k FROM generate_series(1, {tenants}) AS k;
SELECT setseed(0.5);
CREATE TABLE ladder AS
SELECT array_agg(upto ORDER BY k) AS rungs, array_agg(id ORDER BY k) AS ids
FROM (
    SELECT k, id, (sum(1.0 / k) OVER (ORDER BY k) / sum(1.0 / k) OVER ())::float8 AS upto
    FROM (SELECT id, row_number() OVER (ORDER BY name) AS k FROM tenants) AS numbered
) AS steps;
"""
FILL = """
INSERT INTO audit_logs (tenant_id, "timestamp", event_type, user_id, resource, details)
SELECT ladder.ids[least(1 + width_bucket(random(), ladder.rungs), {tenants})],
    clock_timestamp() - ({rows} - i) * interval '1 year' / {total},
    (ARRAY['login', 'message.received', 'pms.request', 'access.denied'])[1 + i % 4],
    gen_random_uuid(), 'session/' || i, jsonb_build_object('code', 'RES-' || i, 'nights', i % 9)
FROM generate_series(1, {rows}) AS i, ladder
"""

Page = tuple[list[AuditLog], int]
Ask = Callable[[int], Awaitable[Page]]


def run(*, full: bool) -> None:
    """Measure on every PostgreSQL of the machine."""
    rows = []
    for binaries in find_all_postgres():
        with start_postgres(binaries, settings={"shared_buffers": "512MB", "autovacuum": "off"}) as server:
            rows += uvloop.run(_measure(server, ROWS[full]))
    show("audit_paging", f"a page of {PAGE_SIZE} audit rows and the exact total (median of {RUNS} runs)", rows)


async def _measure(server: PostgresServer, count: int) -> list[dict[str, object]]:
    upgrade(server.dsn())
    database = Database(_settings(server.dsn()))
    try:
        with psycopg.connect(server.dsn(), autocommit=True) as owner:
            counting = await _fill(owner, database, count)
            row = owner.execute("SELECT tenant_id FROM audit_logs GROUP BY 1 ORDER BY count(*) DESC LIMIT 1").fetchone()
        assert row is not None
        return [{"PostgreSQL": server.major} | figures for figures in await _compare(database, row[0], counting)]
    finally:
        await database.close()


async def _fill(owner: psycopg.Connection[tuple[UUID]], database: Database, count: int) -> float:
    """Load the year and count it; how long the first count took, in seconds."""
    owner.execute(PREPARE.format(tenants=TENANTS).encode())
    owner.execute(FILL.format(tenants=TENANTS, rows=count, total=count).encode())
    # The sandbox commits without waiting for the disk, and no page of rows whose commit is not there yet is marked as
    # all-visible: the first VACUUM would leave the index-only walks to look into the heap.
    owner.execute("CHECKPOINT")
    owner.execute("VACUUM (ANALYZE) audit_logs")
    started = time.perf_counter()
    assert await AuditRollup(database).run_once()
    counting = time.perf_counter() - started
    owner.execute(FILL.format(tenants=TENANTS, rows=FRESH, total=count).encode())
    owner.execute("VACUUM (ANALYZE) audit_days")
    return counting


async def _compare(database: Database, tenant: UUID, counting: float) -> list[dict[str, object]]:
    scope = TenantScope(tenant, "system:benchmark", "benchmark")
    logger = AuditLogger(database, AuditOutbox(database, Spool(Path("unused"))), scope)

    async def by_counts(page: int) -> Page:
        return await logger.get_audit_logs(tenant, page, PAGE_SIZE)

    async def by_offset(page: int) -> Page:
        async with database.read(scope) as session:
            total = await session.scalar(select(func.count()).where(AuditLog.tenant_id == tenant))
            statement = select(AuditLog).where(AuditLog.tenant_id == tenant)
            order = statement.order_by(AuditLog.timestamp.desc(), AuditLog.id.desc())
            found = await session.scalars(order.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE))
            return list(found), int(total or 0)

    _, total = await by_counts(1)
    last = -(-total // PAGE_SIZE)
    pages = (1, min(100, last), last // 2, last, last + 1)
    times = await _turn_about(by_counts, by_offset, pages)
    return [
        {"tenant's rows": total, "pages": last, "first count s": counting, "page": page} | times[page] for page in pages
    ]


async def _turn_about(by_counts: Ask, by_offset: Ask, pages: Sequence[int]) -> dict[int, dict[str, object]]:
    """Median milliseconds by page and way. One page after the other in each run: a slow minute is no single page's."""
    ways = {"OFFSET + count(*) ms": by_offset, "by counts ms": by_counts, "again ms": by_counts}
    times: dict[int, dict[str, list[float]]] = {page: {way: [] for way in ways} for page in pages}
    for _ in range(RUNS):
        for page, kept in times.items():
            answers = []
            for way, ask in ways.items():
                started = time.perf_counter()
                rows, total = await ask(page)
                kept[way].append((time.perf_counter() - started) * 1000)
                answers.append(([row.id for row in rows], total))
            assert answers[0] == answers[1] == answers[2], "the two ways differ"
    return {page: {way: statistics.median(took) for way, took in kept.items()} for page, kept in times.items()}


def _settings(dsn: str) -> Settings:
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    return Settings(
        _env_file=None,  # type: ignore[call-arg]  # pydantic's, not a field
        postgres_host=query["host"][0],
        postgres_port=int(query["port"][0]),
        postgres_db=parts.path.removeprefix("/"),
        postgres_user="bench_service",
        postgres_admin_user="bench_admin",
        postgres_statement_timeout=120,
    )
