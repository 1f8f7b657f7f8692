"""All settings of a service: one object, whose secrets stay inside, and whose misspelled names are found."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.api.settings import ServiceSettings
from app.core.misspelled import misspelled_variables


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no .env of this machine reaches a test."""
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in ServiceSettings.model_fields.items() if not field.description] == []


def test_no_repr_and_no_error_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "PMS_TOKEN", "ADMIN_TOKEN", "METRICS_TOKEN", "REDIS_KEY_SECRET")
    for name in secrets:
        monkeypatch.setenv(name, f"ocean-view-of-{name}")
    settings = ServiceSettings()
    assert "ocean-view" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    monkeypatch.setenv("HTTP_LARGEST_BODY", "ocean-view")
    with pytest.raises(ValidationError, match="http_largest_body") as caught:
        ServiceSettings()
    assert "ocean-view" not in str(caught.value)


@pytest.mark.parametrize("name", ["ADMIN_TOKEN", "METRICS_TOKEN"])
def test_a_token_that_is_short_enough_to_guess_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "password")
    with pytest.raises(ValidationError, match=name.lower()):
        ServiceSettings()


def test_the_database_is_itself_the_direct_one_but_behind_pgbouncer(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ServiceSettings()
    assert settings.direct is settings
    monkeypatch.setenv("POSTGRES_PGBOUNCER", "1")
    assert ServiceSettings().direct is None
    monkeypatch.setenv("POSTGRES_DIRECT", "database.internal:5433")
    direct = ServiceSettings().direct
    assert direct is not None
    assert (direct.postgres_host, direct.postgres_port, direct.postgres_pgbouncer) == ("database.internal", 5433, False)


def test_misspelled_names_of_all_parts_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_TOKENS", "x")
    Path(".env").write_text("REDIS_TIMEOUTS=1\nPMS_BASE_ULR=http://x\nGRAFANA_TOKEN=x\n")
    lines = misspelled_variables(Path(".env"), ServiceSettings)
    assert [line.rsplit(" ", 2)[1] for line in lines] == ["METRICS_TOKEN", "PMS_BASE_URL", "REDIS_TIMEOUT"]
