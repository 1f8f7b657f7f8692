"""The check at start-up whether the pools of all processes together fit into what the server allows."""

import logging
from dataclasses import dataclass

from sqlalchemy import text

from app.core.database import Database
from app.core.errors import AppError
from app.core.settings import Settings
from app.db.ddl import read_sql

LIMITS = text(read_sql("connection_limits.sql"))

log = logging.getLogger(__name__)


class PoolBudgetExceeded(AppError):  # noqa: N818 - named by what it says
    """The pools could ask for more connections than the server has; the message says how many, and of what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What the server allows: -1 is no limit, None a role that is not there."""

    server: int
    reserved: int
    database: int
    role: int | None
    admin: int | None


async def check_pool_budget(database: Database, settings: Settings) -> None:
    """Warn of pools that can exceed the server's limits; raise PoolBudgetExceeded if settings say so."""
    if settings.postgres_pgbouncer:
        return  # the server's connections are PgBouncer's, which queues what exceeds its own pool
    async with database.hot.connect() as connection:
        row = (await connection.execute(LIMITS, {"admin": settings.postgres_admin_user})).one()
    found = excess(settings, ConnectionLimits(**row._asdict()))
    if found is None:
        return
    if settings.postgres_pool_strict:
        raise PoolBudgetExceeded(found)
    log.warning(found)


def excess(settings: Settings, limits: ConnectionLimits) -> str | None:
    """Say in one line which limit the pools can exceed, the one that is exceeded most; None where they fit."""
    processes = settings.postgres_processes
    service = processes * (settings.postgres_pool_size + settings.postgres_max_overflow)
    admin = processes * settings.postgres_admin_pool_size if settings.postgres_admin_user else 0
    checks = [
        (service + admin, limits.server - limits.reserved, "the server (max_connections less those reserved)"),
        (service + admin, limits.database, "the database (CONNECTION LIMIT)"),
        (service, limits.role, "the service's role (CONNECTION LIMIT)"),
        (admin, limits.admin, "the admin's role (CONNECTION LIMIT)"),
    ]
    exceeded = [
        (asked - limit, asked, limit, whose)
        for asked, limit, whose in checks
        if limit is not None and 0 <= limit < asked
    ]
    if not exceeded:
        return None
    _, asked, limit, whose = max(exceeded)
    return (
        f"{processes} processes with POSTGRES_POOL_SIZE {settings.postgres_pool_size}"
        f" and POSTGRES_MAX_OVERFLOW {settings.postgres_max_overflow} can open {asked} connections,"
        f" more than the {limit} of {whose}: lower them, or raise the limit"
    )
