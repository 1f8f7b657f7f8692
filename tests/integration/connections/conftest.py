from collections.abc import Iterator

import pytest

from dbvitals.sandbox import PostgresServer, find_all_postgres, start_postgres
from tests.integration.connections.crowd import Crowd


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    made = Crowd()
    yield made
    made.close()


@pytest.fixture(scope="session", params=[15, 18])
def tcp_server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """With a loopback port and prepared transactions; small, so that it can be filled."""
    binaries = next((found for found in find_all_postgres() if found.major == request.param), None)
    if binaries is None:
        pytest.skip(f"no PostgreSQL {request.param} on this machine")
    settings = {"autovacuum": "off", "max_connections": "12", "max_prepared_transactions": "4"}
    with start_postgres(binaries, tcp=True, settings=settings) as server:
        yield server
