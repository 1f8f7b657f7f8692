"""Settings of Redis and the PMS: parts make an address, and no secret is shown."""

import pytest
from pydantic import SecretStr, ValidationError

from app.core.redis import RedisSettings
from app.services.pms import PmsSettings

SECRET = "sec/ret@:é"


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    for name in {*RedisSettings.model_fields, *PmsSettings.model_fields}:
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_default_is_the_local_server() -> None:
    assert RedisSettings().address.get_secret_value() == "redis://localhost:6379/0"


def test_parts_make_an_address_with_the_password_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOST": "::1", "PORT": "6380", "PASSWORD": SECRET, "DB": "3", "TLS": "1"}.items():
        monkeypatch.setenv(f"REDIS_{name}", value)
    assert RedisSettings().address.get_secret_value() == "rediss://:sec%2Fret%40%3A%C3%A9@[::1]:6380/3"


def test_a_url_wins_over_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "unix:///run/redis.sock")
    monkeypatch.setenv("REDIS_HOST", "elsewhere")
    assert RedisSettings().address.get_secret_value() == "unix:///run/redis.sock"


@pytest.mark.parametrize("url", ["http://redis", "redis", "", "//x"])
def test_a_url_of_another_scheme_is_refused_without_being_shown(url: str) -> None:
    if not url:
        assert RedisSettings(redis_url=None).redis_url is None
        return
    with pytest.raises(ValidationError, match="redis://") as caught:
        RedisSettings(redis_url=SecretStr(f"{url}{SECRET}"))
    assert SECRET not in str(caught.value)


def test_no_secret_is_shown() -> None:
    settings = RedisSettings(redis_password=SecretStr(SECRET), redis_key_secret=SecretStr("key secret"))
    pms = PmsSettings(pms_token=SecretStr(SECRET))
    shown = f"{settings!r} {settings.address!r} {pms!r}"
    assert SECRET not in shown
    assert "sec%2Fret" not in shown
    assert "key secret" not in shown
