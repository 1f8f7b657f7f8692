"""The service's page names every setting with its default, and every route."""

import pytest
from pydantic import SecretStr

from app.api.settings import ServiceSettings
from app.main import create_app
from tests.acceptance.docs.markdown import ROOT

PAGE = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ServiceSettings.model_fields)
def test_every_setting_stands_with_its_default_and_meaning(name: str) -> None:
    field = ServiceSettings.model_fields[name]
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    shown = "" if default in (None, "") else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    assert f"| `{name.upper()}` | {shown} | {field.description} |" in PAGE


def test_every_route_stands() -> None:
    paths = create_app(ServiceSettings(_env_file=None)).openapi()["paths"]  # type: ignore[call-arg]  # pydantic-settings' own
    first = {"/".join(path.split("/")[:3]) for path in paths}
    assert len(first) >= 8
    assert [path for path in first if path not in PAGE] == []
