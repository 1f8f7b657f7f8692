"""Misspelled variables: what is warned of, what is left alone, and that no value is shown."""

from itertools import combinations
from pathlib import Path

import pytest

from app.core.misspelled import OTHERS, misspelled_variables, near_misses
from app.core.settings import Settings

KNOWN = [name.upper() for name in Settings.model_fields]


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("POSTGRES_POOL_SZIE", "POSTGRES_POOL_SIZE"),
        ("POSTGRES_PASWORD", "POSTGRES_PASSWORD"),
        ("POSTGRES_MAXOVERFLOW", "POSTGRES_MAX_OVERFLOW"),
        ("POSTGRES_PROT", "POSTGRES_PORT"),
        ("postgres_hosts", "POSTGRES_HOST"),
        ("POSTGRES_BD", "POSTGRES_DB"),
    ],
)
def test_a_slip_is_named_with_what_was_meant(slip: str, meant: str) -> None:
    assert near_misses([slip], KNOWN) == [f"{slip} is not a setting and is ignored: is {meant} meant?"]


def test_own_names_and_those_of_others_are_left_alone() -> None:
    strangers = ["PATH", "GRAFANA_TOKEN", "POSTGRES_SERVICE_HOST", "POSTGRES_URL", "POSTGRES_EXPORTER_PORT"]
    assert near_misses([*KNOWN, *(name.lower() for name in KNOWN), *OTHERS, *strangers], KNOWN) == []


def test_no_name_of_ours_is_taken_for_another() -> None:
    for name, other in combinations(KNOWN, 2):
        assert near_misses([name], [other]) == []
        assert near_misses([other], [name]) == []


def test_environment_and_file_are_read_and_no_value_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    assert not [line for line in misspelled_variables(env_file, Settings) if "PASWORD" in line]
    env_file.write_text("POSTGRES_PASWORD='ocean-view-417'\nPOSTGRES_HOST=here\n")
    monkeypatch.setenv("POSTGRES_POOL_SZIE", "ocean-view-418")
    lines = "\n".join(misspelled_variables(env_file, Settings))
    assert "POSTGRES_PASWORD" in lines
    assert "POSTGRES_POOL_SZIE" in lines
    assert "ocean-view" not in lines
