"""One server of each kind for all tests of a worker, emptied before each."""

from collections.abc import Iterator

import pytest

from dbvitals.collect import keyspace_progress
from dbvitals.sandbox import RedisServer, start_redis
from tests.integration.cache.ground import KINDS, Client, binary_of, client_of

_STARTED: dict[str, RedisServer] = {}


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, RedisServer]]:
    """Servers that have been asked for, by kind."""
    yield _STARTED
    for server in _STARTED.values():
        server.stop()
    _STARTED.clear()


def _server(servers: dict[str, RedisServer], kind: str) -> RedisServer:
    if kind not in servers:
        servers[kind] = start_redis(binary_of(kind))
    return servers[kind]


@pytest.fixture
def every_slice_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test can act between two slices, instead of twice a second."""
    monkeypatch.setattr(keyspace_progress, "INTERVAL", 0.0)


@pytest.fixture(params=KINDS)
def any_server(request: pytest.FixtureRequest, servers: dict[str, RedisServer]) -> RedisServer:
    """One kind after the other: a test that asks for it runs on all that this machine has."""
    return _server(servers, request.param)


@pytest.fixture
def valkey(servers: dict[str, RedisServer]) -> RedisServer:
    return _server(servers, "valkey-9.1")


def _emptied(server: RedisServer) -> Iterator[Client]:
    with client_of(server) as client:
        client.flushall()
        client.config_resetstat()
        yield client


@pytest.fixture
def any_client(any_server: RedisServer) -> Iterator[Client]:
    """A client of `any_server`, which is empty and has counted nothing."""
    yield from _emptied(any_server)


@pytest.fixture
def client(valkey: RedisServer) -> Iterator[Client]:
    yield from _emptied(valkey)
