"""The traps' databases, one of each kind on each server."""

import os
from collections.abc import Iterator

import pytest

from dbvitals.sandbox import PostgresServer
from tests.integration.traps.ground import Ground, ground
from tests.integration.traps.suite import DROPPABLE, FOREIGN_KEYS, KEPT, REDUNDANCY


@pytest.fixture(scope="session")
def redundancy_ground(postgres: PostgresServer) -> Iterator[Ground]:
    with ground(postgres, f"traps_redundancy_{os.getpid()}", REDUNDANCY) as laid:
        yield laid


@pytest.fixture(scope="session")
def foreign_key_ground(postgres: PostgresServer) -> Iterator[Ground]:
    with ground(postgres, f"traps_foreign_keys_{os.getpid()}", FOREIGN_KEYS) as laid:
        yield laid


@pytest.fixture(scope="session")
def kept_ground(postgres: PostgresServer) -> Iterator[Ground]:
    with ground(postgres, f"traps_kept_{os.getpid()}", (*KEPT, *DROPPABLE)) as laid:
        yield laid
