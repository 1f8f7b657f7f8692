"""The documents name every option, variable and key that there is, and their links lead somewhere."""

import dataclasses
import re
from pathlib import Path

import click
import pytest

from dbvitals.cli import commands
from dbvitals.cli.config_file import Config
from tests.acceptance.docs.markdown import PAGES, ROOT, anchors, links

GUIDE = "".join(
    (ROOT / "docs" / name).read_text()
    for name in ("guide.md", "settings.md", "sandbox.md", "cache.md", "connections.md")
)

VARIABLE = re.compile(r"""["']((?:PG|POSTGRES_|DBVITALS_|XDG_|REDIS_)[A-Z_]+|NO_COLOR|COLUMNS|TERM)["']""")
NO_VARIABLES = {"PG_VERSION"}
"""Looks like one, and is the name of a file."""


def all_commands(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    """A command and those below it, by what a user types."""
    if not isinstance(command, click.Group):
        return [(path, command)]
    context = click.Context(command)
    below = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [found for name, sub in below if sub for found in all_commands(sub, f"{path} {name}")]


OPTIONS = [
    (path, max(option.opts, key=len))
    for path, command in all_commands(commands, "dbvitals")
    for option in command.get_params(click.Context(command))
]


def documented(word: str) -> bool:
    """Whether a word stands in the documents, not just as the beginning of a longer one."""
    return re.search(rf"{re.escape(word)}(?![\w-])", GUIDE) is not None


def test_every_option_is_documented() -> None:
    assert len(OPTIONS) > 30
    assert [f"{path} {option}" for path, option in OPTIONS if not documented(option)] == []


def test_every_command_is_documented() -> None:
    assert [path for path, _ in OPTIONS if path not in GUIDE] == []


def test_every_environment_variable_is_documented() -> None:
    sources = (path.read_text() for path in (ROOT / "dbvitals").rglob("*.py"))
    read = {name for source in sources for name in VARIABLE.findall(source)} - NO_VARIABLES
    assert read > {"POSTGRES_HOST", "PGSERVICE", "DBVITALS_PG_BIN", "XDG_STATE_HOME", "NO_COLOR"}
    assert sorted(name for name in read if not documented(name)) == []


def test_every_key_of_the_config_file_is_documented() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    assert [field.name for field in dataclasses.fields(Config) if f"`{field.name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("https://", "mailto:")):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
