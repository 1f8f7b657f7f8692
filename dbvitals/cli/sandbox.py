"""`dbvitals sandbox`: a PostgreSQL and a Redis to play with, kept until they are taken down."""

import re
import shlex
from pathlib import Path

import click
import msgspec

from dbvitals.cli.console import progress
from dbvitals.errors import SandboxError, UsageError
from dbvitals.sandbox import find_postgres, find_redis
from dbvitals.sandbox.kept import Kept, all_kept, bring_up, delete, find_kept, take_down

DEFAULT_NAME = "default"


def _name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Refuse what is no name of a file."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", value):
        raise UsageError(f"{value!r} is no name for a sandbox", mend="up to 40 letters, digits, dots, dashes")
    return value


name_option = click.option("--name", default=DEFAULT_NAME, show_default=True, callback=_name)
FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)


@click.group
def sandbox() -> None:
    """Keep a PostgreSQL and a Redis of your own; no installation, no root, nothing open to others."""


@sandbox.command
@name_option
@click.option("--home", type=FOLDER, help="Where the data go.  [default: below ~/.local/share/dbvitals]")
@click.option("--pg-bin", type=FOLDER, help="Folder that holds postgres and initdb.")
@click.option("--redis-bin", type=FILE, help="A redis-server or valkey-server.")
@click.option("--tcp", is_flag=True, help="PostgreSQL listens on 127.0.0.1 too, with a password.")
@click.option("--no-redis", is_flag=True, help="Start PostgreSQL alone.")
def up(name: str, home: Path | None, pg_bin: Path | None, redis_bin: Path | None, tcp: bool, no_redis: bool) -> None:
    """Start the servers and print their addresses; they run until `down`."""
    postgres = find_postgres(pg_bin)
    redis = None if no_redis else find_redis(redis_bin)
    with progress(quiet=False, verbose=False) as tell:
        tell(f"starting PostgreSQL {postgres.version}" + (f" and {redis.product} {redis.version}" if redis else ""))
        kept = bring_up(name, home, postgres, redis, tcp=tcp)
    _show(kept)
    click.echo(f"stop: {_command('down', name)}    stop and remove the data: {_command('down', name)} --delete")


@sandbox.command
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def status(form: str) -> None:
    """Show every sandbox, with the addresses of its servers (passwords too: they are yours)."""
    sandboxes = all_kept()
    if form == "json":
        rows = [_as_json(kept) for kept in sandboxes]
        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2))
        return
    if not sandboxes:
        click.echo(f"no sandbox; start one: {_command('up', DEFAULT_NAME)}")
    for kept in sandboxes:
        _show(kept)


@sandbox.command
@name_option
@click.option("--delete", "remove", is_flag=True, help="Remove the data for good.")
def down(name: str, remove: bool) -> None:
    """Stop the servers that `up` started; the data stay unless --delete."""
    kept = find_kept(name)
    if kept is None:
        known = ", ".join(other.name for other in all_kept()) or "none"
        raise SandboxError(f"no sandbox {name}", mend=f"those that there are: {known}")
    running = kept.running()
    with progress(quiet=False, verbose=False) as tell:
        tell("stopping")
        kept = take_down(kept)
    stopped = " and ".join(server.product for server in running)
    click.echo(f"{name}: stopped {stopped}" if stopped else f"{name}: was not running")
    if remove:
        delete(kept)
        click.echo(f"{name}: removed {kept.home}")
    else:
        click.echo(f"{name}: data stay in {kept.home}")


def _command(what: str, name: str) -> str:
    return f"dbvitals sandbox {what}" + ("" if name == DEFAULT_NAME else f" --name {name}")


def _show(kept: Kept) -> None:
    running = kept.running()
    click.echo(f"{kept.name}: {'running' if running else 'stopped'}, data in {kept.home}")
    for server in kept.servers:
        title = f"{server.product} {server.version}"
        said = shlex.quote(server.address) if server in running else f"ended by itself; see {server.log}"
        click.echo(f"  {title:<18} {said}")


def _as_json(kept: Kept) -> dict[str, object]:
    running = kept.running()
    servers = [{**msgspec.structs.asdict(server), "running": server in running} for server in kept.servers]
    return {"name": kept.name, "home": kept.home, "running": bool(running), "servers": servers}
