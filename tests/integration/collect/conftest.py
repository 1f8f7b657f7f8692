"""One way to take a snapshot of a test's database."""

from collections.abc import Callable

import psycopg
import pytest

from dbvitals.collect.catalog import Scope, collect_catalog
from dbvitals.settings import Timeouts
from dbvitals.snapshot import CatalogSnapshot

Snapshot = Callable[..., CatalogSnapshot]


@pytest.fixture
def snapshot() -> Snapshot:
    """A function that reads a database: `snapshot(dsn, tables=…, lock=…)`."""

    def take(dsn: str, *, lock: float = 0.2, **scope: tuple[str, ...]) -> CatalogSnapshot:
        with psycopg.connect(dsn) as connection:
            return collect_catalog(connection, Scope(**scope), Timeouts(lock=lock))

    return take
