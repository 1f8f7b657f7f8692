"""The command line: finds the command, and turns every error into one line and an exit code."""

import importlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from dbvitals import __version__
from dbvitals.cli.console import say
from dbvitals.errors import DbvitalsError

INTERRUPTED = 130
BUG = 70
"""EX_SOFTWARE of sysexits.h; the other codes say something about call, server or findings."""

_COMMANDS = {
    "indexes": "dbvitals.cli.indexes",
    "connections": "dbvitals.cli.connections",
    "cache": "dbvitals.cli.cache",
    "expected": "dbvitals.cli.expected",
    "sandbox": "dbvitals.cli.sandbox",
}
"""The commands and their modules; a module is imported when its command is asked for."""


class _Commands(click.Group):
    """The commands, imported one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of the help text."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None when there is no such one."""
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(_COMMANDS[cmd_name]), cmd_name)
        return command if isinstance(command, click.Command) else None


@click.command(cls=_Commands)
@click.version_option(__version__, message="dbvitals %(version)s")
def commands() -> None:
    """Read a PostgreSQL or a Redis, say what ails it, and show the evidence. Nothing is changed there."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit code (see docs/guide.md). Never raises."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # None where whoever started it has closed them, as some do for programs in the background.
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: PTH123, SIM115
    logging.basicConfig(format="dbvitals: %(message)s", level=logging.WARNING)
    try:
        return int(commands.main(arguments, prog_name="dbvitals", standalone_mode=False) or 0)
    except (KeyboardInterrupt, click.Abort):
        say("interrupted; nothing was written")
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return DbvitalsError.exit_code
    except Exception as error:  # noqa: BLE001 -- the outermost frame: a user gets a line, not a traceback
        if {"--verbose", "-v"} & set(arguments):
            traceback.print_exception(error)
        line, code = _explain(error)
        say(line)
        return code


def _explain(error: Exception) -> tuple[str, int]:
    """Give the line for the user and the exit code."""
    if isinstance(error, DbvitalsError):
        return str(error), error.exit_code
    if isinstance(error, click.ClickException):
        return _usage_line(error), DbvitalsError.exit_code
    # The message of an unknown error may quote anything, a password too: only its type and place are shown.
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}"
    return f"this is a bug of dbvitals ({where}); run again with --verbose and report what it prints", BUG


def _usage_line(error: click.ClickException) -> str:
    line = " ".join(error.format_message().split()).removesuffix(".")
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return line
    if isinstance(error, click.BadParameter) and error.param and error.param.name:
        source = error.ctx.get_parameter_source(error.param.name)
        line += " (from the config file)" if source is click.core.ParameterSource.DEFAULT_MAP else ""
    return f"{line}; see {error.ctx.command_path} --help"
