"""Settings: the guide's defaults, what may stand in them, and that secrets stay inside."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy.dialects import registry
from sqlalchemy.engine import make_url

from app.core.settings import Settings

ODD_PASSWORD = "p@ss:w/ord?#%41 'é\\🏨"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no .env of this machine reaches a test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_defaults_are_those_of_the_guide() -> None:
    settings = Settings()
    assert (settings.postgres_pool_size, settings.postgres_max_overflow, settings.postgres_pool_timeout) == (
        10,
        20,
        30,
    )
    assert (settings.postgres_host, settings.postgres_port, settings.postgres_db) == (
        "localhost",
        5432,
        "agente_hotel",
    )


def test_descriptions_are_those_of_the_guide() -> None:
    fields = Settings.model_fields
    assert fields["postgres_pool_size"].description == "SQLAlchemy pool size"
    assert fields["postgres_max_overflow"].description == "Max overflow connections"
    assert fields["postgres_pool_timeout"].description == "Pool timeout in seconds"


def test_environment_wins_over_env_file_and_strangers_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("POSTGRES_HOST=from-file\nPOSTGRES_DB=hotel\nGRAFANA_TOKEN=not-ours\n")
    monkeypatch.setenv("POSTGRES_HOST", "from-environment")
    settings = Settings()
    assert (settings.postgres_host, settings.postgres_db) == ("from-environment", "hotel")


def test_odd_characters_of_a_password_reach_the_driver_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_USER", "front desk@")
    monkeypatch.setenv("POSTGRES_PASSWORD", ODD_PASSWORD)
    url = make_url(Settings().postgres_url.render_as_string(hide_password=False))
    assert (url.username, url.password) == ("front desk@", ODD_PASSWORD)


def test_url_is_for_the_guides_driver() -> None:
    assert registry.load(Settings().postgres_url.drivername.replace("+", ".")).is_async


def test_no_repr_shows_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", "ocean-view-417")
    settings = Settings()
    shown = f"{settings!r} {settings} {settings.model_dump_json()}"
    shown += f"{settings.postgres_url!r} {settings.postgres_url}"
    assert "ocean-view-417" not in shown


def test_no_error_shows_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", "ocean-view-417")
    monkeypatch.setenv("POSTGRES_PORT", "ocean-view-418")
    with pytest.raises(ValidationError, match="postgres_port") as caught:
        Settings()
    assert "ocean-view" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTGRES_PORT", "0"),
        ("POSTGRES_PORT", "65536"),
        ("POSTGRES_POOL_SIZE", "0"),
        ("POSTGRES_MAX_OVERFLOW", "-1"),
        ("POSTGRES_POOL_TIMEOUT", "0"),
        ("POSTGRES_DB", ""),
    ],
)
def test_values_that_cannot_work_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().postgres_port = 5433
