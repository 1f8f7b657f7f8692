"""How large the pool is: from the options, the environment, `.env`, the config file, or the guide's default."""

import os
from collections.abc import Mapping
from pathlib import Path

from dbvitals.cli.config_file import Config
from dbvitals.errors import UsageError
from dbvitals.settings import read_dotenv

POOL_SIZE, MAX_OVERFLOW = 10, 20
"""The guide's defaults."""

MOST = 100_000


def pool_sizes(pool_size: int | None, max_overflow: int | None, config: Config) -> tuple[int, int]:
    """Size and overflow as SQLAlchemy takes them: 0, or an overflow of -1, is no limit. Raises UsageError."""
    dotenv = read_dotenv(Path(".env"))
    size = _first(pool_size, "POSTGRES_POOL_SIZE", dotenv, config.pool_size, POOL_SIZE)
    overflow = _first(max_overflow, "POSTGRES_MAX_OVERFLOW", dotenv, config.max_overflow, MAX_OVERFLOW)
    _check("pool size", size, 0)
    _check("overflow", overflow, -1)
    return size, overflow


def _first(option: int | None, variable: str, dotenv: Mapping[str, str], config: int | None, default: int) -> int:
    if option is not None:
        return option
    for place, values in (("", os.environ), (" in .env", dotenv)):
        if text := values.get(variable):
            try:
                return int(text)
            except ValueError as error:
                raise UsageError(f"{variable}{place} is {text!r}", mend="give a whole number") from error
    return default if config is None else config


def _check(name: str, value: int, least: int) -> None:
    if not least <= value <= MOST:
        raise UsageError(f"a {name} of {value} makes no sense", mend=f"give a number from {least} to {MOST}")
