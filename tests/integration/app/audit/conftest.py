"""A migrated database with two tenants, seen as the service and as the admin's role see it."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from app.core.database import Database
from app.core.ids import uuid7
from app.core.settings import Settings
from app.db.migrate import upgrade
from tests.integration.app.migrated import migrated_database  # noqa: F401 -- a fixture

Connection = psycopg.Connection[tuple[object, ...]]
LOGINS = {"audit_test_service": "hotel_service", "audit_test_admin": "hotel_admin"}
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def settings_for(dsn: str) -> Settings:
    """The service's settings for a test database."""
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    return Settings(
        _env_file=None,  # type: ignore[call-arg]  # pydantic's, not a field
        postgres_host=query["host"][0],
        postgres_port=int(query["port"][0]),
        postgres_db=parts.path.removeprefix("/"),
        postgres_user="audit_test_service",
        postgres_admin_user="audit_test_admin",
        postgres_admin_pool_size=8,
        postgres_pool_timeout=5,
        postgres_connect_timeout=5,
    )


@pytest.fixture
def dsn(database: str, connect: Callable[[str], Connection]) -> str:
    """The DSN, as superuser, of a migrated database; the logins of `settings_for` are there."""
    upgrade(database)
    for login, role in LOGINS.items():
        connect(database).execute(
            f"do $$ begin if not exists (select from pg_roles where rolname = '{login}') then"
            f" create role {login} login in role {role}; end if; end $$".encode()
        )
    return database


@pytest.fixture
def owner(dsn: str, connect: Callable[[str], Connection]) -> Connection:
    """A connection as superuser."""
    return connect(dsn)


@pytest.fixture
def tenants(owner: Connection) -> list[UUID]:
    """Two tenants, the second of which has a hostile name."""
    names = ["Hotel Miramar", "o'neil\"<script>,\n🏨"]
    made = [uuid7() for _ in names]
    for key, name in zip(made, names, strict=True):
        owner.execute("insert into tenants (id, name) values (%s, %s)", [key, name])
    owner.execute("delete from audit_logs")
    return made


@pytest_asyncio.fixture
async def hotel(dsn: str) -> AsyncIterator[Database]:
    """The service's database, logged in as members of hotel_service and hotel_admin."""
    made = Database(settings_for(dsn))
    yield made
    await made.close()


def add_rows(owner: Connection, tenant: UUID, minutes: list[int], **columns: object) -> list[UUID]:
    """Write one audit row for each number of minutes before NOON; their keys, in the order given."""
    made = [uuid7() for _ in minutes]
    columns = {"event_type": "login"} | columns
    names = ["tenant_id", "id", '"timestamp"', *columns]
    query = f"insert into audit_logs ({', '.join(names)}) values ({', '.join(['%s'] * len(names))})"
    rows = [
        [tenant, key, NOON - timedelta(minutes=ago), *columns.values()] for key, ago in zip(made, minutes, strict=True)
    ]
    with owner.transaction(), owner.cursor() as cursor:
        cursor.executemany(query.encode(), rows)
    return made
