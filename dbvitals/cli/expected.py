"""`dbvitals expected`: the declared indexes as a server sees them, kept for machines without PostgreSQL programs."""

from pathlib import Path

import click

from dbvitals.cli.config_file import load
from dbvitals.cli.console import progress, say
from dbvitals.cli.declarations import load_expectations
from dbvitals.errors import UsageError

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

STALE = 1


@click.command
@click.option("--output", type=FILE, help="[default: expected_snapshot of the config file]")
@click.option("--config", type=FILE, help="[default: dbvitals.toml, else pyproject.toml]")
@click.option("--pg-bin", type=FOLDER, help="Folder that holds postgres and initdb.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when the file is not of these declarations.")
def expected(output: Path | None, config: Path | None, pg_bin: Path | None, check: bool) -> int:
    """Write the file that a machine without PostgreSQL programs compares with.

    The declared tables and indexes are created on a throw-away server and read there. Keep the file under version
    control, and write it anew whenever the declarations change.
    """
    from dbvitals.collect.expected import is_current, keep_expected

    settings, config_name = load(config)
    expectations = load_expectations(settings)
    if expectations is None:
        raise UsageError(f"{config_name} declares nothing", mend="name expectations or expected_sql there")
    path = output or (Path(settings.expected_snapshot) if settings.expected_snapshot else None)
    if path is None:
        raise UsageError("where should it go?", mend=f"give --output, or name expected_snapshot in {config_name}")
    if check:
        if is_current(path, expectations):
            return 0
        say(f"{path} is not of the present declarations: run dbvitals expected")
        return STALE
    with progress(quiet=False, verbose=False) as tell:
        tell("creating the declared tables on a server of our own")
        keep_expected(path, expectations, pg_bin)
    click.echo(f"wrote {path}")
    return 0
