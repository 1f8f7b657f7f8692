"""The cases laid on PostgreSQL 15 and 18, and every pair of a server declared on and a server looked at."""

import pytest

from dbvitals.sandbox import PostgresServer
from tests.integration.drift.cases import DRIFTED
from tests.integration.drift.cases_absent import ABSENT
from tests.integration.drift.cases_silent import SILENT
from tests.integration.drift.ground import Ground, lay

ALL = (*DRIFTED, *ABSENT, *SILENT)


@pytest.fixture(scope="session")
def ground15(pg15: PostgresServer) -> Ground:
    return lay(pg15, ALL)


@pytest.fixture(scope="session")
def ground18(pg18: PostgresServer) -> Ground:
    return lay(pg18, ALL)


@pytest.fixture(scope="session", params=["15", "18"], ids=lambda version: f"found on {version}")
def looked_at(request: pytest.FixtureRequest) -> Ground:
    """The databases that are judged."""
    ground: Ground = request.getfixturevalue(f"ground{request.param}")
    return ground


@pytest.fixture(scope="session", params=["15", "18"], ids=lambda version: f"declared on {version}")
def declared_on(request: pytest.FixtureRequest) -> Ground:
    """Where the declarations were made canonical."""
    ground: Ground = request.getfixturevalue(f"ground{request.param}")
    return ground
