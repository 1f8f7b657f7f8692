"""The budget of connections: which limit the pools of all processes exceed, if any."""

import pytest

from app.core.settings import Settings
from app.db.pool_budget import ConnectionLimits, excess

SETTINGS = Settings(postgres_admin_user=None, postgres_processes=4, postgres_pool_size=10, postgres_max_overflow=20)
ADMIN = SETTINGS.model_copy(update={"postgres_admin_user": "admin", "postgres_admin_pool_size": 2})


def limits(server: int = 1000, database: int = -1, role: int | None = -1, admin: int | None = None) -> ConnectionLimits:
    return ConnectionLimits(server=server, reserved=3, database=database, role=role, admin=admin)


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        (SETTINGS, limits()),
        (SETTINGS, limits(server=123)),
        (SETTINGS, limits(database=120, role=120)),
        (ADMIN, limits(server=131, database=128, role=120, admin=8)),
        (SETTINGS, limits(admin=0)),
        (SETTINGS, limits(role=None)),
    ],
)
def test_pools_that_fit_exactly_are_fine(settings: Settings, allowed: ConnectionLimits) -> None:
    assert excess(settings, allowed) is None


@pytest.mark.parametrize(
    ("settings", "allowed", "said"),
    [
        (SETTINGS, limits(server=122), "can open 120 connections, more than the 119 of the server"),
        (SETTINGS, limits(server=100), "can open 120 connections, more than the 97 of the server"),
        (SETTINGS, limits(database=119), "120 connections, more than the 119 of the database"),
        (SETTINGS, limits(role=0), "120 connections, more than the 0 of the service's role"),
        (ADMIN, limits(admin=7), "8 connections, more than the 7 of the admin's role"),
        (ADMIN, limits(server=130), "128 connections, more than the 127 of the server"),
        (ADMIN, limits(server=130, role=50), "120 connections, more than the 50 of the service's role"),
    ],
)
def test_the_limit_that_is_exceeded_most_is_named(settings: Settings, allowed: ConnectionLimits, said: str) -> None:
    found = excess(settings, allowed)
    assert found is not None
    assert said in found
    assert "\n" not in found
