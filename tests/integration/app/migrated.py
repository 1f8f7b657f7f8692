"""Migrated databases at the price of a copy: migrating one for every test took longer than the tests."""

from functools import cache

import psycopg
import pytest

from app.db.migrate import upgrade
from dbvitals.sandbox import PostgresServer
from tests.conftest import MakeDatabase

TEMPLATE = "hotel_template"


@cache
def template(server: PostgresServer) -> str:
    """The name of a migrated database that nobody connects to; made once for a server."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"create database {TEMPLATE} template template0".encode())
    upgrade(server.dsn(TEMPLATE))
    return TEMPLATE


@pytest.fixture(name="database")
def migrated_database(postgres: PostgresServer, make_database: MakeDatabase) -> str:
    """The DSN of a migrated database, on one server after the other."""
    return make_database(postgres, template(postgres))
