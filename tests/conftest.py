"""Real servers and fresh databases for every test; each worker of pytest-xdist has servers of its own."""

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Protocol

import psycopg
import pytest
from psycopg import sql

from dbvitals.sandbox import PostgresServer, RedisServer, find_all_postgres, start_postgres, start_redis

# Statistics and dead rows stay as the test left them.
QUIET = {"autovacuum": "off", "max_connections": "50"}

Connection = psycopg.Connection[tuple[object, ...]]


def _postgres(major: int) -> Iterator[PostgresServer]:
    binaries = next((found for found in find_all_postgres() if found.major == major), None)
    if binaries is None:
        pytest.skip(f"no PostgreSQL {major} on this machine")
    with start_postgres(binaries, settings=QUIET) as server:
        yield server


@pytest.fixture(scope="session")
def pg15() -> Iterator[PostgresServer]:
    yield from _postgres(15)


@pytest.fixture(scope="session")
def pg18() -> Iterator[PostgresServer]:
    yield from _postgres(18)


@pytest.fixture(scope="session", params=["pg15", "pg18"])
def postgres(request: pytest.FixtureRequest) -> PostgresServer:
    """One after the other: a test that asks for it runs on both."""
    server: PostgresServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with start_redis() as server:
        yield server


class MakeDatabase(Protocol):
    """Makes a database on a server, a copy of another one, and gives its DSN."""

    def __call__(self, server: PostgresServer, template: str = "template0") -> str: ...


_numbers = itertools.count(1)


@pytest.fixture
def make_database() -> Iterator[MakeDatabase]:
    """A function that makes databases, empty ones where nothing else is said; they go with the test."""
    made: list[tuple[PostgresServer, sql.Identifier]] = []

    def make(server: PostgresServer, template: str = "template0") -> str:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        names = map(sql.Identifier, (name, template))
        _execute(server, sql.SQL("create database {} template {}").format(*names))
        made.append((server, sql.Identifier(name)))
        return server.dsn(name)

    yield make
    for server, name in reversed(made):
        _execute(server, sql.SQL("drop database if exists {} with (force)").format(name))


def _execute(server: PostgresServer, statement: sql.Composed) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def database(postgres: PostgresServer, make_database: MakeDatabase) -> str:
    """The DSN of an empty database, on one server after the other."""
    return make_database(postgres)


@pytest.fixture
def connect() -> Iterator[Callable[[str], Connection]]:
    """A function that opens an autocommit connection to a DSN, closed with the test."""
    opened: list[Connection] = []

    def open_connection(dsn: str) -> Connection:
        opened.append(psycopg.connect(dsn, autocommit=True))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.close()
