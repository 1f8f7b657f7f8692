"""The options that every command shares, and what they add up to."""

import functools
import importlib.util
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

from dbvitals import __version__
from dbvitals.cli.config_file import Config, load
from dbvitals.cli.console import say
from dbvitals.errors import UsageError
from dbvitals.model import Severity
from dbvitals.settings import PostgresTarget, Timeouts, has_password, read_dotenv, resolve_postgres

P = ParamSpec("P")
AnyCommand = Callable[..., Any]

FORMATS = ("table", "json", "markdown", "html")

LONGEST_SECONDS = 86_400.0

_POSTGRES = (
    ("--dsn", "URL", "postgresql://user@host:port/database; the single options override its parts."),
    ("--host", "HOST", "Name, address or socket folder of the server.  [default: localhost]"),
    ("--port", "PORT", "[default: 5432]"),
    ("--user", "NAME", "Who logs in."),
    ("--password", "TEXT", "Others on this machine can see it: prefer .env or PGPASSFILE."),
    ("--database", "NAME", "[default: agente_hotel]"),
    ("--sslmode", "MODE", "disable, allow, prefer, require, verify-ca or verify-full."),
    ("--sslrootcert", "FILE", "Certificates to trust."),
    ("--sslcert", "FILE", "Certificate of the client."),
    ("--sslkey", "FILE", "Key of the client."),
)


class Duration(click.ParamType[float]):
    """Seconds, or a number with ms, s or min."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Give seconds; fails on anything that is not above zero and within a day."""
        match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+) *(ms|s|min)?", str(value).strip(), re.ASCII)
        seconds = float(match[1]) * {"ms": 0.001, "s": 1.0, "min": 60.0}[match[2] or "s"] if match else 0.0
        if not 0 < seconds <= LONGEST_SECONDS:
            self.fail(f"{value!r} is not a time such as 15, 500ms or 2min (above zero, a day at most)", param, ctx)
        return seconds


class Number(click.ParamType[float]):
    """A number within bounds; not NaN, which every comparison would let through."""

    name = "number"

    def __init__(self, least: float, most: float) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Give the number; fails on anything else."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not self.least <= number <= self.most:
            self.fail(f"{value!r} is not a number from {self.least:,g} to {self.most:,g}", param, ctx)
        return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the shared options and the config file say; without `color` there is none even on a terminal."""

    output: str
    format: str
    strict: bool
    fail_on: Severity | None
    timeouts: Timeouts
    quiet: bool
    verbose: bool
    color: bool
    config: Config
    config_name: str
    connection: Mapping[str, str | None] = field(repr=False)

    def postgres(self) -> PostgresTarget:
        """Find the PostgreSQL that is meant. Raises UsageError."""
        return resolve_postgres(
            options=self.connection,
            environment=os.environ,
            dotenv=read_dotenv(Path(".env")),
            config=self.config.connection(),
            config_name=self.config_name,
        )


def postgres_options(command: AnyCommand) -> AnyCommand:
    """Add the options that say which PostgreSQL is meant; goes above `report_options`."""
    for name, metavar, text in reversed(_POSTGRES):
        command = click.option(name, metavar=metavar, help=text)(command)
    return command


def report_options(
    default_output: str,
) -> Callable[[Callable[Concatenate[Call, P], int]], AnyCommand]:
    """Add the options of every report; the command gets a `Call` in their place."""
    options = (
        click.option(
            "--output",
            metavar="FILE",
            default=default_output,
            show_default=True,
            help="JSON report; - is stdout.",
        ),
        click.option("--format", type=click.Choice(FORMATS), default="table", callback=_format, show_default=True),
        click.option("--strict", is_flag=True, help="Exit 4 when a part of the report is missing."),
        click.option(
            "--fail-on",
            type=click.Choice(["none", *reversed([str(severity) for severity in Severity])]),
            default="none",
            show_default=True,
            help="Exit 1 when a finding at or above it stands.",
        ),
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            is_eager=True,
            callback=_config,
            help="[default: dbvitals.toml, else pyproject.toml]",
        ),
        click.option("--connect-timeout", type=Duration(), default="10s", show_default=True),
        click.option("--statement-timeout", type=Duration(), default="15s", show_default=True),
        click.option("--lock-timeout", type=Duration(), default="500ms", show_default=True),
        click.option("--quiet", "-q", is_flag=True, help="Show nothing but errors and warnings."),
        click.option("--verbose", "-v", is_flag=True, help="Say what is being done; show tracebacks."),
        click.option("--no-color", is_flag=True, help="No colour, even on a terminal."),
        click.version_option(__version__, message="dbvitals %(version)s"),
    )

    def decorate(command: Callable[Concatenate[Call, P], int]) -> AnyCommand:
        @functools.wraps(command)
        def run(*args: P.args, **kwargs: P.kwargs) -> int:
            return command(_take_call(kwargs), *args, **kwargs)

        return functools.reduce(lambda inner, option: option(inner), reversed(options), run)

    return decorate


def _take_call(values: dict[str, Any]) -> Call:
    """Take the shared options out of a command's arguments."""
    config, config_name = values.pop("config")
    connection = {name[2:]: values.pop(name[2:], None) for name, _, _ in _POSTGRES}
    if connection["password"] is not None or (connection["dsn"] and has_password(connection["dsn"])):
        warn_of_password()
    return Call(
        output=values.pop("output"),
        format=values.pop("format"),
        strict=values.pop("strict"),
        fail_on=None if (fail_on := values.pop("fail_on")) == "none" else Severity(fail_on),
        timeouts=Timeouts(
            connect=values.pop("connect_timeout"),
            statement=values.pop("statement_timeout"),
            lock=values.pop("lock_timeout"),
        ),
        quiet=values.pop("quiet"),
        verbose=values.pop("verbose"),
        color=not values.pop("no_color"),
        config=config,
        config_name=config_name,
        connection=connection,
    )


def warn_of_password() -> None:
    """Tell that a password on the command line can be seen in the list of processes."""
    say("other users of this machine can see a password given on the command line; use .env or PGPASSFILE")


def _config(context: click.Context, parameter: click.Parameter, value: Path | None) -> tuple[Config, str]:
    config, name = load(value)
    context.default_map = config.option_defaults()
    return config, name


def _format(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if value == "html" and importlib.util.find_spec("jinja2") is None:
        raise UsageError("--format html needs jinja2", mend="pip install 'agente-hotelero[html]'")
    return value
