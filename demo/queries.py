"""The SQL files of the demo, without their headers: statistics and the analyses see the statement itself."""

from functools import cache
from importlib.resources import files
from typing import LiteralString


@cache
def load(name: str) -> LiteralString:
    """Give the one statement of `sql/<name>.sql`."""
    statements = load_all(name)
    if len(statements) != 1:
        raise ValueError(f"sql/{name}.sql holds {len(statements)} statements, not one")
    return statements[0]


@cache
def load_all(name: str) -> tuple[LiteralString, ...]:
    """Give the statements of `sql/<name>.sql`, each of which ends with a semicolon at a line's end."""
    text = files("demo").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    parts = (part.strip() for part in f"{code}\n".split(";\n"))
    return tuple(part for part in parts if part)
