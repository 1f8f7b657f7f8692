"""A migrated database with two hotels, and the logins by which the service comes to it."""

from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg import errors, sql

from app.core.ids import uuid7
from app.core.settings import Settings
from app.core.tenancy import TenantScope
from app.db.migrate import upgrade

Owner = psycopg.Connection[tuple[object, ...]]

LOGINS = {"test_service": "hotel_service", "test_admin": "hotel_admin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hotel:
    """`owner` is the superuser's connection; `settings` are the service's."""

    owner: Owner
    settings: Settings
    ours: TenantScope
    theirs: TenantScope

    def one(self, query: str, *values: object) -> tuple[object, ...]:
        row = self.owner.execute(query.encode(), values).fetchone()
        assert row is not None
        return row

    def add_identifier(self, scope: TenantScope, value: str, platform: str = "phone") -> UUID:
        query = (
            "insert into tenant_user_identifiers (tenant_id, user_id, platform, identifier_value)"
            " values (%s, %s, %s, %s) returning id"
        )
        made = self.one(query, scope.tenant_id, uuid7(), platform, value)[0]
        assert isinstance(made, UUID)
        return made

    def add_session(self, scope: TenantScope) -> UUID:
        identifier = self.add_identifier(scope, f"+{uuid7().int % 10**15}")
        query = (
            "insert into sessions (tenant_id, user_id, identifier_id, platform)"
            " values (%s, %s, %s, 'phone') returning id"
        )
        made = self.one(query, scope.tenant_id, uuid7(), identifier)[0]
        assert isinstance(made, UUID)
        return made


def settings_of(dsn: str) -> Settings:
    """The service's settings for a sandbox's database, as logins that are members of its roles."""
    parts = psycopg.conninfo.conninfo_to_dict(dsn)
    return Settings(
        postgres_host=str(parts["host"]),
        postgres_port=int(str(parts["port"])),
        postgres_db=str(parts["dbname"]),
        postgres_user="test_service",
        postgres_admin_user="test_admin",
        postgres_sslmode="disable",
        postgres_pool_timeout=20,
    )


def open_hotel(dsn: str, owner: Owner) -> Hotel:
    """Migrate the database, make the logins, and add two hotels."""
    upgrade(dsn)
    for login, role in LOGINS.items():
        statement = sql.SQL("create role {} login in role {}").format(sql.Identifier(login), sql.Identifier(role))
        try:
            owner.execute(statement)
        except errors.DuplicateObject:  # made for another database of the same server
            continue
    made = [owner.execute("insert into tenants (name) values (%s) returning id", [name]).fetchone() for name in "AB"]
    ours, theirs = (TenantScope(row[0], "test", "request-1") for row in made if row and isinstance(row[0], UUID))
    return Hotel(owner=owner, settings=settings_of(dsn), ours=ours, theirs=theirs)
