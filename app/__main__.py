"""`python -m app`: the service, and what an operator does with its data by hand."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from app.core.database import Database
from app.core.errors import AppError
from app.core.logging import configure_logging
from app.core.settings import Settings
from app.db.pool_budget import PoolBudgetExceeded
from app.services.audit_rollup import AuditRollup
from app.services.security.sealer import Head, Sealer
from app.services.security.verifier import Verdict, Verifier, read_hash

# As dbvitals: 1 a finding, 2 a wrong call or configuration, 3 the server is not to be had.
FOUND, WRONG, AWAY = 1, 2, 3

Result = TypeVar("Result")


@click.group
def main() -> None:
    """Run the hotel agent, or work on its data."""


@main.command
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port to listen on.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that serve.")
def serve(host: str, port: int, workers: int) -> None:
    """Serve HTTP until Ctrl-C or SIGTERM. Settings are those of the environment and .env."""
    # The other commands need neither FastAPI nor uvicorn.
    from app import server
    from app.api.parts import make_spool

    settings = _told(lambda: server.settings_for(workers))
    configure_logging(settings.log_level)
    try:
        make_spool(settings)
    except OSError as error:
        click.echo(f"app: AUDIT_SPOOL cannot be there: {error.strerror}", err=True)
        sys.exit(WRONG)
    _told(lambda: asyncio.run(server.check(settings)))
    server.run(settings, host, port, workers)


@main.group
def audit() -> None:
    """The audit trail: count, seal and verify it. The database is that of the environment and .env."""


@audit.command
def rollup() -> None:
    """Count new audit rows into their days, which keeps pages quick."""
    done = _run(lambda database: AuditRollup(database).run_once())
    click.echo("counted" if done else "left for later: a transaction that may still write is running")


@audit.command
def seal() -> None:
    """Seal the days that are over. Prints each new seal: tenant, number, hash. Keep the hashes elsewhere."""

    async def count_and_seal(database: Database) -> list[Head]:
        await AuditRollup(database).run_once()
        return await Sealer(database).run_once()

    for head in _run(count_and_seal):
        click.echo(_head(head))


@audit.command
@click.option(
    "--expect",
    multiple=True,
    metavar="HASH",
    help="The hash of a seal, kept elsewhere since it was made; it must still be there. May be given several times.",
)
def verify(expect: tuple[str, ...]) -> None:
    """Compare all sealed rows with their seals; exit 1 when one was changed, removed or inserted."""
    try:
        expected = frozenset(read_hash(value) for value in expect)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--expect") from error
    verdict = _run(lambda database: Verifier(database).run(expected))
    _tell(verdict)
    sys.exit(0 if verdict.intact else FOUND)


def _tell(verdict: Verdict) -> None:
    for breach in verdict.breaches:
        click.echo(str(breach))
    for value in verdict.unmatched:
        click.echo(f"no seal has the hash {value.hex()}: seals were dropped or made anew")
    for head in verdict.heads:
        click.echo(f"newest seal: {_head(head)}")
    state = "intact" if verdict.intact else "NOT as it was sealed"
    click.echo(f"{state}: {verdict.sealed} rows verified, {verdict.unsealed} counted and not sealed yet")


def _head(head: Head) -> str:
    return f"{head.tenant_id} {head.number} {head.hash.hex()}"


def _run(work: Callable[[Database], Awaitable[Result]]) -> Result:
    """Do the work with the database that the settings name; an error is one line and an exit code."""

    async def with_database() -> Result:
        database = Database(Settings())
        try:
            return await work(database)
        finally:
            await database.close()

    return _told(lambda: asyncio.run(with_database()))


def _told(work: Callable[[], Result]) -> Result:
    """Do the work; an error is one line and an exit code."""
    try:
        return work()
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False))
        click.echo(f"app: settings are wrong: {fields}", err=True)
        sys.exit(WRONG)
    except PoolBudgetExceeded as error:
        click.echo(f"app: {error}", err=True)
        sys.exit(WRONG)
    except AppError as error:
        click.echo(f"app: {error}", err=True)
        sys.exit(AWAY)
    except SQLAlchemyError as error:
        cause = type(getattr(error, "orig", None) or error).__name__
        click.echo(f"app: the database refused: {cause}; are POSTGRES_ADMIN_USER and its rights right?", err=True)
        sys.exit(AWAY)


if __name__ == "__main__":
    main(prog_name="python -m app")
