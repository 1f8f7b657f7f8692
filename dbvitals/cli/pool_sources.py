"""What is asked beside the server: PgBouncer's console and the application. One that fails is a missing part."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from dbvitals.collect.app_registry import read_apps
from dbvitals.collect.pgbouncer import read_pgbouncer
from dbvitals.errors import ServerError
from dbvitals.model import Skipped
from dbvitals.settings import PostgresTarget, Timeouts
from dbvitals.snapshot_activity import PgBouncerSnapshot
from dbvitals.snapshot_pool import PoolObservation

T = TypeVar("T")

Source = tuple[str, Callable[[], T]]
"""What to call it, and how to ask it."""

TOKEN = "DBVITALS_APP_TOKEN"  # noqa: S105 -- a name, not a secret
"""The environment's variable with the operator's token of the applications."""


@dataclass(slots=True, kw_only=True)
class PoolSources:
    """Where to ask, and what was answered last."""

    consoles: Sequence[PostgresTarget]
    applications: Sequence[str]
    token: str | None
    timeouts: Timeouts
    bouncers: tuple[PgBouncerSnapshot, ...] = ()
    observations: tuple[PoolObservation, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    """What could not be asked the last time."""

    def ask(self, database: str) -> None:
        """Ask all of them now; `database` is the PostgreSQL database in question."""
        skipped: list[Skipped] = []
        consoles = [
            (f"PgBouncer {console}", partial(read_pgbouncer, console, self.timeouts, database))
            for console in self.consoles
        ]
        self.bouncers = _answers(consoles, skipped)
        applications = read_apps(self.applications, self.token)
        self.observations = applications.observations
        self.skipped = (*skipped, *applications.skipped)


def _answers(sources: Iterable[Source[T]], skipped: list[Skipped]) -> tuple[T, ...]:
    found: list[T] = []
    for part, read in sources:
        try:
            found.append(read())
        except ServerError as error:
            skipped.append(Skipped(part=part, why=error.what, mend=error.mend))
    return tuple(found)
