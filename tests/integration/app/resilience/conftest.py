"""The sandbox PMS, and a Redis that is empty, for tests of what happens when they fail."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from dbvitals.sandbox import RedisServer, find_redis
from dbvitals.sandbox.ports import free_port
from tests.integration.app.resilience.ground import KillableRedis, Pms, running_pms


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """A connection that a test leaves open is an error of that test, not of a later one."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def pms_server() -> Iterator[Pms]:
    with running_pms() as pms:
        yield pms


@pytest.fixture
def pms(pms_server: Pms) -> Iterator[Pms]:
    """The PMS without faults, its counts at nought."""
    pms_server.dial()
    yield pms_server
    pms_server.dial()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of a Redis that holds no keys."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def killable_redis(tmp_path: Path) -> Iterator[KillableRedis]:
    server = KillableRedis(find_redis().path, free_port(), tmp_path)
    server.start()
    yield server
    server.kill()
