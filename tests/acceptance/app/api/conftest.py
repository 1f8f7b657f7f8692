"""Databases, Redis and PMS for a service in processes of its own."""

from collections.abc import Callable

import pytest
import redis

from dbvitals.sandbox import PostgresServer, RedisServer
from tests.conftest import MakeDatabase
from tests.integration.app.hotel import Hotel, Owner, open_hotel
from tests.integration.app.migrated import template
from tests.integration.app.resilience.conftest import pms, pms_server  # noqa: F401


@pytest.fixture
def hotel(pg18: PostgresServer, make_database: MakeDatabase, connect: Callable[[str], Owner]) -> Hotel:
    """On one server: what is tested here is the process, and the routes are tested on both."""
    dsn = make_database(pg18, template(pg18))
    return open_hotel(dsn, connect(dsn))


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of a Redis that holds no keys."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url
