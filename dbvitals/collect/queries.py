"""The SQL of the collectors: one file a query, `name.sql`, or `name-16.sql` when it needs that major version."""

from functools import cache
from importlib.resources import files


@cache
def load(name: str) -> str:
    """Text of `sql/<name>.sql`. It is a literal of this package, never made from input."""
    return (files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def needs(name: str) -> int:
    """The major version from which on the query runs: the suffix of its name, else 14."""
    _, _, version = name.partition("-")
    return int(version or 14)
