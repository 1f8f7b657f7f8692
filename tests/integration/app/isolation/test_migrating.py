"""Migration 0003 where nobody is a superuser, and where roles are there already."""

import os
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from app.db.migrate import downgrade, upgrade
from tests.integration.app.hotel import Owner

ROLES = ("hotel_service", "hotel_admin", "hotel_search", "hotel_audit")


def test_an_owner_who_is_no_superuser_can_migrate_and_is_audited(
    database: str, connect: Callable[[str], Owner]
) -> None:
    superuser = connect(database)
    migrator = f"migrator_{os.getpid()}"
    name = sql.Identifier(urlsplit(database).path.removeprefix("/"))
    superuser.execute(sql.SQL("create role {} login createrole").format(sql.Identifier(migrator)))
    upgrade(database)  # the roles are made by another
    downgrade(database, "base")
    superuser.execute("drop table alembic_version")
    for role in ROLES:
        superuser.execute(
            sql.SQL("grant {} to {} with admin option").format(sql.Identifier(role), sql.Identifier(migrator))
        )
    superuser.execute(sql.SQL("alter database {} owner to {}").format(name, sql.Identifier(migrator)))
    superuser.execute(sql.SQL("alter schema public owner to {}").format(sql.Identifier(migrator)))
    as_migrator = psycopg.conninfo.make_conninfo(database, user=migrator)
    upgrade(as_migrator)
    owner = connect(as_migrator)
    with owner.transaction():
        owner.execute("set local role hotel_admin")
        owner.execute("insert into tenants (name) values ('Hotel Miramar')")
        assert owner.execute("select count(*) from audit_logs").fetchone() == (1,)
    downgrade(as_migrator, "base")
    upgrade(as_migrator)
    downgrade(as_migrator, "base")
    superuser.execute(sql.SQL("alter database {} owner to postgres").format(name))
    superuser.execute("alter schema public owner to postgres")
    owner.close()
    superuser.execute(sql.SQL("drop owned by {}").format(sql.Identifier(migrator)))
    for role in ROLES:
        superuser.execute(sql.SQL("revoke {} from {}").format(sql.Identifier(role), sql.Identifier(migrator)))
    superuser.execute(sql.SQL("drop role {}").format(sql.Identifier(migrator)))


def test_a_role_that_is_above_row_level_security_stops_the_migration(
    database: str, connect: Callable[[str], Owner]
) -> None:
    superuser = connect(database)
    upgrade(database)
    downgrade(database, "0002")
    superuser.execute("alter role hotel_service bypassrls")
    try:
        with pytest.raises(DBAPIError, match="above row level security"):
            upgrade(database)
    finally:
        superuser.execute("alter role hotel_service nobypassrls")
    upgrade(database)
