"""The demo's SQL files."""

from importlib.resources import files

import pytest

from demo.queries import load, load_all

NAMES = [
    f"{folder.name}/{path.name.removesuffix('.sql')}"
    for folder in files("demo").joinpath("sql").iterdir()
    for path in folder.iterdir()
]


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_file_says_what_it_does_and_the_server_gets_the_statements_alone(name: str) -> None:
    text = files("demo").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    heads = [line.split(":")[0] for line in text.splitlines() if line.startswith("--")]
    assert heads == ["-- what", "-- since", "-- right", "-- cost"]
    statements = load_all(name)
    assert statements
    assert not any("--" in statement or statement.endswith(";") for statement in statements)


def test_a_file_of_several_statements_is_no_single_statement() -> None:
    with pytest.raises(ValueError, match="holds 2 statements, not one"):
        load("faults/drifted_order")
