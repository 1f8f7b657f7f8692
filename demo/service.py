"""What the service's own code does with the demo's hotel: counts the audit trail, pages, searches, holds rooms.

The statements of `traffic` stand in for the rest until the HTTP service drives all of it.
"""

import asyncio
import random
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import select

from app.core.database import Database
from app.core.settings import Settings
from app.core.tenancy import TenantScope
from app.db.hold_table import RoomHold
from app.db.holds import RoomNight, confirm, place
from app.services.audit_rollup import AuditRollup
from app.services.leases import Leases
from app.services.security.audit_logger import AuditLogger
from app.services.security.outbox import AuditOutbox
from app.services.security.spool import Spool
from demo.queries import load

SERVICE, OPERATOR = "hotel_demo_service", "hotel_demo_admin"
LOGINS = {SERVICE: "hotel_service", OPERATOR: "hotel_admin"}

SPOOL_BYTES = 1_000_000
GUESTS = 40
"""Conversations that hold a room, and pages of the trail that are read: enough to leave a mark in every counter."""

Guest = tuple[UUID, UUID]
"""A tenant, and a conversation of it."""


def run(dsn: str, seed: int) -> None:
    """Do it, as logins that may no more than the service's."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        _make_logins(connection)
        rows = connection.execute(load("setup/guests"), {"limit": GUESTS}).fetchall()
    guests = [(tenant, session) for tenant, session in rows]
    with TemporaryDirectory() as folder:
        asyncio.run(_work(_settings(dsn), guests, seed, Path(folder) / "spool"))


def _make_logins(connection: psycopg.Connection) -> None:
    """Roles belong to the server, which may have them already."""
    for login, group in LOGINS.items():
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [login]).fetchone() is None:
            statement = sql.SQL("CREATE ROLE {} LOGIN IN ROLE {}")
            connection.execute(statement.format(sql.Identifier(login), sql.Identifier(group)))


def _settings(dsn: str) -> Settings:
    """The same server and database, by the demo's logins; its private socket asks for no password."""
    parts = conninfo_to_dict(dsn)
    return Settings(
        postgres_host=str(parts["host"]),
        postgres_port=int(str(parts["port"])),
        postgres_db=str(parts["dbname"]),
        postgres_user=SERVICE,
        postgres_admin_user=OPERATOR,
    )


async def _work(settings: Settings, guests: list[Guest], seed: int, spool: Path) -> None:
    database = Database(settings)
    try:
        await AuditRollup(database).run_once()
        dice = random.Random(seed)
        for number, (tenant, session) in enumerate(guests):
            scope = TenantScope(tenant_id=tenant, actor="service:demo", request_id=f"demo-{number}")
            await _hold_room(database, scope, session, RoomNight(room=f"{100 + number}", night=date(2026, 11, 2)))
            trail = AuditLogger(database, AuditOutbox(database, Spool(spool, SPOOL_BYTES)), scope)
            await trail.get_audit_logs(tenant, page=dice.randint(1, 20))
            await trail.search("demo")
    finally:
        await database.close()


async def _hold_room(database: Database, scope: TenantScope, session_id: UUID, what: RoomNight) -> None:
    """Take a lease on a room's night, hold the room under it, and make the hold a booking."""
    leases = Leases(database, owner="demo")
    async with leases.hold(scope, what.resource, ttl=timedelta(seconds=10), timeout=timedelta(seconds=5)) as lease:
        async with database.unit_of_work(scope) as session:
            await place(session, lease, what, session_id, timedelta(minutes=10))
        async with database.unit_of_work(scope) as session:
            await confirm(session, lease, what, session_id)
    async with database.read(scope) as session:
        wanted = select(RoomHold.id).where(RoomHold.tenant_id == scope.tenant_id, RoomHold.session_id == session_id)
        await session.execute(wanted)
