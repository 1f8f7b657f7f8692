"""The options that say which Redis is meant, and what they add up to."""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

import click

from dbvitals.cli.console import say
from dbvitals.cli.options import AnyCommand
from dbvitals.errors import UsageError
from dbvitals.settings import read_dotenv
from dbvitals.settings_redis import RedisTarget, has_password, resolve_redis


def redis_options(command: AnyCommand) -> AnyCommand:
    """Add the options that say which Redis is meant; goes above `report_options`."""
    options = (
        click.option("--dsn", metavar="URL", help="redis://user@host:port/db, rediss:// or unix:///path."),
        click.option("--host", metavar="HOST", help="Name or address of the server.  [default: localhost]"),
        click.option("--port", metavar="PORT", help="[default: 6379]"),
        click.option("--user", metavar="NAME", help="Who logs in (an ACL user)."),
        click.option("--password", metavar="TEXT", help="Others on this machine can see it: prefer .env."),
        click.option("--db", metavar="NUMBER", help="[default: 0]"),
        click.option("--tls", is_flag=True, help="Speak TLS, and check the server's certificate."),
        click.option("--tls-ca", metavar="FILE", help="Certificates to trust; by default the system's."),
        click.option(
            "--master", metavar="NAME", help="Which primary, where --host is a Sentinel that watches several."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def redis_target(connection: Mapping[str, str | None], *, db: str | None, tls: bool, tls_ca: str | None) -> RedisTarget:
    """Find the Redis that is meant. Raises UsageError."""
    options = {
        "url": connection.get("dsn"),
        "host": connection.get("host"),
        "port": connection.get("port"),
        "user": connection.get("user"),
        "password": connection.get("password"),
        "db": db,
        "tls": "true" if tls else None,
        "tls_ca": tls_ca,
    }
    return resolve_redis(options=options, environment=os.environ, dotenv=read_dotenv(Path(".env")))


def require_driver() -> None:
    """Say how to get what speaks Redis's protocol, where it is missing. Raises UsageError."""
    if importlib.util.find_spec("hiredis") is None:
        raise UsageError("dbvitals cache needs hiredis", mend="pip install 'agente-hotelero[redis]'")


def warn_of_redis_password(url: str | None) -> None:
    """Tell of a password in an address, which `report_options` reads as PostgreSQL's."""
    if url and has_password(url):
        say("other users of this machine can see a password given on the command line; use .env")
