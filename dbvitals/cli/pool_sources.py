"""What is asked beside the server: PgBouncer's console and the application. One that fails is a missing part."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from dbvitals.collect.app_registry import TIMEOUT_SECONDS, read_apps
from dbvitals.collect.pgbouncer import read_pgbouncer
from dbvitals.errors import ServerError
from dbvitals.model import Skipped
from dbvitals.settings import PostgresTarget, Timeouts
from dbvitals.snapshot_activity import PgBouncerSnapshot
from dbvitals.snapshot_pool import PoolObservation

SourceT = TypeVar("SourceT", PostgresTarget, str)


class _Failure(NamedTuple):
    skipped: Skipped
    rests_until: float


@dataclass(slots=True, kw_only=True)
class PoolSources:
    """Where to ask, and what was answered last."""

    consoles: Sequence[PostgresTarget]
    applications: Sequence[str]
    token: str | None
    timeouts: Timeouts
    app_timeout: float = TIMEOUT_SECONDS
    rest: float = 0.0
    """Seconds for which one that failed is left alone: a watch has no time to wait for it at each look."""
    bouncers: tuple[PgBouncerSnapshot, ...] = ()
    observations: tuple[PoolObservation, ...] = ()
    _failures: dict[PostgresTarget | str, _Failure] = field(default_factory=dict)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What could not be asked the last time."""
        sources = (*self.consoles, *self.applications)
        return tuple(self._failures[source].skipped for source in sources if source in self._failures)

    def ask(self, database: str) -> None:
        """Ask all of them that do not rest; `database` is the PostgreSQL database in question."""
        now = time.monotonic()
        self._failures = {source: failed for source, failed in self._failures.items() if failed.rests_until > now}
        found = [self._console(console, database) for console in self._awake(self.consoles)]
        self.bouncers = tuple(seen for seen in found if seen is not None)
        applications = read_apps(self._awake(self.applications), self.token, self.app_timeout)
        self.observations = applications.observations
        for url, skipped in zip(applications.failed, applications.skipped, strict=True):
            self._note(url, skipped)

    def _awake(self, sources: Sequence[SourceT]) -> list[SourceT]:
        return [source for source in sources if source not in self._failures]

    def _console(self, console: PostgresTarget, database: str) -> PgBouncerSnapshot | None:
        try:
            return read_pgbouncer(console, self.timeouts, database)
        except ServerError as error:
            self._note(console, Skipped(part=f"PgBouncer {console}", why=error.what, mend=error.mend))
            return None

    def _note(self, source: PostgresTarget | str, skipped: Skipped) -> None:
        self._failures[source] = _Failure(skipped, time.monotonic() + self.rest)
