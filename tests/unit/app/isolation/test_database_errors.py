"""What errors of the driver mean, and that their own words are not passed on."""

import pytest

from app.core.database_errors import meaning
from app.core.errors import AppError, Conflict, Invalid, Unavailable


class DriverError(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("Key (identifier_value)=(+34 600 000 001) already exists")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("23505", Conflict),
        ("23503", Conflict),
        ("40001", Conflict),
        ("40P01", Conflict),
        ("55P03", Conflict),
        ("23514", Invalid),
        ("22021", Invalid),
        ("22008", Invalid),
        ("57014", Unavailable),
        ("57P01", Unavailable),
        ("08006", Unavailable),
        ("53300", Unavailable),
    ],
)
def test_a_state_has_its_meaning(sqlstate: str, kind: type[AppError]) -> None:
    found = meaning(DriverError(sqlstate))
    assert type(found) is kind
    assert "600" not in str(found)


@pytest.mark.parametrize("sqlstate", ["42501", "42P01", "42601", "22012", "XX000", None])
def test_a_mistake_of_ours_keeps_its_words(sqlstate: str | None) -> None:
    assert meaning(DriverError(sqlstate)) is None


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionRefusedError(), ConnectionResetError()])
def test_a_network_that_fails_is_the_database_away(error: OSError) -> None:
    assert type(meaning(error)) is Unavailable
