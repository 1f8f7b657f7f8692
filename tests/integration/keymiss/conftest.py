"""A server that tells of no misses."""

from collections.abc import Iterator

import pytest
from redis import Redis

from dbvitals.sandbox import RedisServer
from tests.integration.keymiss.hearing import SETTING


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Redis]:
    """Sees how it is set; everything is as it was in the end."""
    with Redis.from_url(redis_server.url, decode_responses=True) as link:
        link.flushall()
        link.config_set(SETTING, "")
        yield link
        link.config_set(SETTING, "")
        link.flushall()
