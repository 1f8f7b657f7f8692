"""The file that machines without PostgreSQL programs compare with is of the present models."""

from pathlib import Path

from app.expectations import expectations
from dbvitals.collect.expected import is_current

FILE = Path(__file__).parents[3] / "app" / "db" / "expected.json"


def test_the_kept_file_is_of_the_present_models() -> None:
    assert is_current(FILE, expectations), (
        "the models have changed: run dbvitals expected, and commit app/db/expected.json"
    )
