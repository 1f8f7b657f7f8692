"""One look, or one watch, of `dbvitals connections`: asks the server and whoever else knows."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dbvitals import __version__
from dbvitals.analyse.code_sites import code_sites
from dbvitals.analyse.connections import Question, Watching
from dbvitals.analyse.fleet import PoolConfig, count_processes
from dbvitals.analyse.watch_log import WatchLog
from dbvitals.cli.pool_options import pool_sizes
from dbvitals.cli.pool_sources import PoolSources
from dbvitals.cli.watching import Watcher
from dbvitals.collect.activity import ActivityReader, ProbeLimits, is_full, open_activity
from dbvitals.collect.app_registry import TIMEOUT_SECONDS, TOKEN
from dbvitals.collect.watch import Watch, WatchPlan
from dbvitals.errors import ServerError
from dbvitals.model import Skipped
from dbvitals.output import STDOUT
from dbvitals.settings import PostgresTarget, Timeouts, read_dotenv, resolve_postgres

if TYPE_CHECKING:
    from dbvitals.analyse.connection_report import HeldBy
    from dbvitals.cli.connections import ConnectionOptions
    from dbvitals.cli.options import Call
    from dbvitals.snapshot_activity import ActivitySnapshot

SCREEN_REFRESH = 2.0
"""Seconds between two details while somebody looks at the screen."""

WATCH_PATIENCE = 0.5
"""Seconds for which a watch waits for an application or a PgBouncer: it sees nothing of the server meanwhile."""

INTERRUPTED = Skipped(part="interrupted", why="stopped by Ctrl-C or SIGTERM", mend="let it run to the end")
NO_LIMIT = Skipped(part="--threshold", why="the pool has no limit", mend="give --pool-size and --max-overflow")


class PoolLook:
    """What was seen: `snapshot`, None when the server had no connection left; then `refusal` says why."""

    def __init__(self, call: "Call", options: "ConnectionOptions", target: PostgresTarget) -> None:
        self._call, self._options, self._target = call, options, target
        self._sizes = pool_sizes(options.pool_size, options.max_overflow, call.config)
        self._sources = PoolSources(
            consoles=tuple(console_target(dsn) for dsn in options.pgbouncer),
            applications=options.app,
            token=os.environ.get(TOKEN) or read_dotenv(Path(".env")).get(TOKEN),
            timeouts=self._patience(),
            app_timeout=WATCH_PATIENCE if options.watch else TIMEOUT_SECONDS,
            rest=options.interval if options.watch else 0.0,
        )
        self._began = time.monotonic()
        self._watching = Watching()
        self._missing: list[Skipped] = []
        self.snapshot: ActivitySnapshot | None = None
        self.refusal = ""
        self._lost: str | None = None

    def once(self) -> None:
        """Look once. Raises ServerError unless the server is full."""
        try:
            with open_activity(self._target, self._call.timeouts, self._options.scope) as reader:
                self.snapshot = reader.everything()
                self._sources.ask(self.snapshot.server.database)
        except ServerError as error:
            self._refused(error)

    def watch(
        self, *, on_interval: Callable[["ActivitySnapshot", Question], None], on_lost: Callable[[], None]
    ) -> None:
        """Watch for as long as was asked; `on_interval` gets what is known at the end of each interval.

        And once more when the server is back after an outage, of which `on_lost` tells when it begins.

        Raises ServerError when there is no server to begin with, unless it is full.
        """
        log = WatchLog(question_of=self._question_of, threshold=self._options.threshold)
        watch = Watch(self._open, self._plan())

        def ended(watching: Watching) -> None:
            self._watching = watching
            if log.everything is not None:
                on_interval(log.everything, self._question_of(log.everything))

        watcher = Watcher(
            watch=watch,
            log=log,
            target=str(self._target),
            held=self._held,
            quiet=self._call.quiet or self._call.output == STDOUT or self._call.format != "table",
            on_interval=ended,
            on_lost=on_lost,
        )
        try:
            self._watching = watcher.run()
        except ServerError as error:
            self._refused(error)
            return
        self.snapshot = log.everything
        if watcher.interrupted and self._options.duration != float("inf"):
            self._missing.append(INTERRUPTED)
        if log.lost is not None:
            self._missing.append(Skipped(part="the end of the watch", why=log.lost.why, mend="run again"))
            if log.lost.full:
                self.snapshot, self.refusal = None, log.lost.why
            else:
                self._lost = log.lost.why

    def question(self) -> Question:
        """What is asked of it all."""
        return self._question_of(self.snapshot)

    def _question_of(self, snapshot: "ActivitySnapshot | None") -> Question:
        sources = self._sources
        sessions = snapshot.sessions if snapshot else ()
        processes, processes_from = count_processes(self._options.processes, sources.observations, sessions)
        size, overflow = self._sizes
        pool = PoolConfig(size=size, max_overflow=overflow, processes=processes, processes_from=processes_from)
        unjudged = (NO_LIMIT,) if pool.unlimited and self._options.threshold is not None else ()
        return Question(
            pool=pool,
            thresholds=self._call.config.connections,
            tool_version=__version__,
            duration_seconds=time.monotonic() - self._began,
            show_literals=self._options.show_literals,
            bouncers=sources.bouncers,
            observations=sources.observations,
            watching=self._watching,
            also_incomplete=(*sources.skipped, *unjudged, *self._nobody(snapshot), *self._missing),
            server_lost=self._lost,
        )

    def _nobody(self, snapshot: "ActivitySnapshot | None") -> tuple[Skipped, ...]:
        """What is missing when the names of the call fit nobody: 0 % of somebody else's pool is no good news."""
        options = self._options
        narrowed = options.role is not None or options.application
        if snapshot is None or not narrowed or any(session.mine for session in snapshot.sessions):
            return ()
        if self._watching.peak("total_connections"):
            return ()
        names = [f"--role {options.role}"] if options.role is not None else []
        names += [f"--application {name}" for name in options.application]
        why = f"no session is that of {' '.join(names)}"
        return (Skipped(part="sessions of the pool", why=why, mend="see by_application without it for the names"),)

    def _patience(self) -> Timeouts:
        timeouts = self._call.timeouts
        return replace(timeouts, connect=min(WATCH_PATIENCE, timeouts.connect)) if self._options.watch else timeouts

    def _open(self) -> AbstractContextManager[ActivityReader]:
        return open_activity(self._target, self._call.timeouts, self._options.scope)

    def _plan(self) -> WatchPlan:
        thresholds = self._call.config.connections
        return WatchPlan(
            interval=self._options.interval,
            duration=self._options.duration,
            limits=ProbeLimits(long_query=thresholds.long_query_seconds, leak=thresholds.leak_seconds),
            refresh=SCREEN_REFRESH if sys.stdout.isatty() else float("inf"),
        )

    def _held(self, snapshot: "ActivitySnapshot") -> "Mapping[int, HeldBy]":
        """Who has which session checked out, asked when the snapshot was taken."""
        self._sources.ask(snapshot.server.database)
        mine = [session for session in snapshot.sessions if session.mine]
        return code_sites(self._sources.observations, self._sources.bouncers, mine)

    def _refused(self, error: ServerError) -> None:
        if not is_full(error):
            raise error
        self.refusal = error.what
        self._sources.ask(dict(self._target.parameters).get("dbname", ""))


def console_target(dsn: str) -> PostgresTarget:
    """The console that --pgbouncer names; its database is always the same."""
    config = {"dsn": dsn, "database": "pgbouncer"}
    return resolve_postgres(options={}, environment={}, dotenv={}, config=config, config_name="--pgbouncer")
