"""Finds variables that were meant for the service and are misspelled, which would be ignored without a word."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values
from pydantic_settings import BaseSettings

# How alike two names must be, 0 to 1, to count as a slip: two letters exchanged in POSTGRES_DB are 0.91,
# and no two names of ours are more than 0.86 alike.
ALIKE = 0.9
# Names of others that are near to ours: those of PostgreSQL's container image, and their *_FILE forms.
OTHERS = {
    "POSTGRES_INITDB_ARGS",
    "POSTGRES_INITDB_WALDIR",
    "POSTGRES_HOST_AUTH_METHOD",
    "POSTGRES_DB_FILE",
    "POSTGRES_USER_FILE",
    "POSTGRES_PASSWORD_FILE",
}


def misspelled_variables(env_file: Path, settings: type[BaseSettings]) -> list[str]:
    """One line for each variable of the environment or of `env_file` that is nearly one of ours; no values."""
    names = {*os.environ, *(dotenv_values(env_file) if env_file.is_file() else ())}
    return near_misses(names, [name.upper() for name in settings.model_fields])


def near_misses(names: Iterable[str], known: list[str]) -> list[str]:
    """One line for each name that is not known but nearly so, in order."""
    lines = []
    for name in sorted(set(names)):
        upper = name.upper()
        if upper in known or upper in OTHERS:
            continue
        near = get_close_matches(upper, known, n=1, cutoff=ALIKE)
        if near:
            lines.append(f"{name} is not a setting and is ignored: is {near[0]} meant?")
    return lines
