"""`dbvitals connections`: who holds the connections of a PostgreSQL, who waits for whom, and is the pool right."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dbvitals.cli.console import say
from dbvitals.cli.delivery import FOUND, INTERRUPTED, exit_code, show_document
from dbvitals.cli.options import Call, Duration, Number, postgres_options, report_options, warn_of_password
from dbvitals.errors import DbvitalsError, OutputError, ServerError
from dbvitals.model import Target
from dbvitals.output import STDOUT, to_json, write
from dbvitals.settings import DEFAULT_PORT, PostgresTarget, has_password

if TYPE_CHECKING:
    from dbvitals.analyse.connection_report import ConnectionReport
    from dbvitals.collect.activity import PoolScope

REPORT = ".playbook/connection_pool_report.json"
METRICS = "connection_pool_metrics.prom"
"""Beside the report; in the report's usual folder when that goes to standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """What only this command asks for."""

    pool_size: int | None
    max_overflow: int | None
    processes: int | None
    role: str | None
    application: tuple[str, ...]
    exclude_application: tuple[str, ...]
    pgbouncer: tuple[str, ...]
    app: tuple[str, ...]
    threshold: float | None
    watch: bool
    interval: float
    duration: float
    prometheus: bool
    show_literals: bool

    @property
    def scope(self) -> "PoolScope":
        """Whose sessions make up the pool."""
        from dbvitals.collect.activity import PoolScope

        return PoolScope(role=self.role, applications=self.application or None, excluded=self.exclude_application)


class Forever(Duration):
    """A time, or 0 for as long as it is let."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Give seconds, infinity for 0."""
        return math.inf if str(value).strip() == "0" else super().convert(value, param, ctx)


@click.command
@postgres_options
@click.option("--pool-size", type=int, metavar="N", help="Base size of one process's pool.  [default: 10]")
@click.option("--max-overflow", type=int, metavar="N", help="Connections beyond it; -1 is no limit.  [default: 20]")
@click.option("--processes", type=click.IntRange(1, 100_000), help="Processes that have such a pool.")
@click.option("--role", metavar="NAME", help="Only sessions of this role are the pool's.")
@click.option("--application", multiple=True, metavar="NAME", help="Only of this application; may be repeated.")
@click.option("--exclude-application", multiple=True, metavar="NAME", help="Not of this one; may be repeated.")
@click.option("--pgbouncer", multiple=True, metavar="DSN", help="A PgBouncer's console, too; may be repeated.")
@click.option("--watch", is_flag=True, help="Watch for a while, four times a second.")
@click.option("--interval", type=Duration(), default="10s", show_default=True, help="Between two rows of --watch.")
@click.option("--duration", type=Forever(), default="60s", show_default=True, help="Of --watch; 0 is until stopped.")
@click.option("--app", multiple=True, metavar="URL", help="The application, too: its token is DBVITALS_APP_TOKEN.")
@click.option("--threshold", type=Number(0, 1000), metavar="PERCENT", help="Exit 1 when utilisation is above it.")
@click.option("--prometheus", is_flag=True, help=f"Write {METRICS} beside the report, too.")
@click.option("--show-literals", is_flag=True, help="Show queries with their values: guests' data may be among them.")
@report_options(REPORT)
def connections(call: Call, /, **values: Any) -> int:
    """Show who holds the connections of a pool, who waits for whom, and whether the pool is right.

    Nothing is changed on the server, and nothing is ended there.
    """
    options = ConnectionOptions(**values)
    try:
        report = _report(call, options)
    except DbvitalsError:
        _mark_stale(call, options)
        raise
    place = "not written"
    try:
        write(call.output, to_json(report))
        place = call.output
        _write_metrics(call, options, report)
    except OutputError:
        _show(call, report, place)
        raise
    _show(call, report, place)
    return _exit_code(call, options, report)


def _report(call: Call, options: ConnectionOptions) -> "ConnectionReport":
    from dbvitals.analyse.connection_refused import refused
    from dbvitals.analyse.connections import analyse_connections
    from dbvitals.analyse.pool_advice import with_sizes
    from dbvitals.analyse.pool_sizing import WaitTarget
    from dbvitals.cli.pool_look import PoolLook

    if any(has_password(dsn) for dsn in options.pgbouncer) and not _warned_already(call):
        warn_of_password()
    target = call.postgres()
    look = PoolLook(call, options, target)
    if options.watch:
        look.watch(
            on_interval=lambda seen, question: _refresh_metrics(call, options, analyse_connections(seen, question)),
            on_lost=lambda: _mark_stale(call, options),
        )
    else:
        look.once()
    if look.snapshot is None:
        return refused(_address(target), look.refusal, datetime.now(UTC), look.question())
    return with_sizes(analyse_connections(look.snapshot, look.question()), WaitTarget())


def _warned_already(call: Call) -> bool:
    """Whether the server's own password, on the command line too, was warned of: once is enough."""
    return call.connection["password"] is not None or has_password(call.connection["dsn"] or "")


def _address(target: PostgresTarget) -> Target:
    """The server as the call names it, for it did not let us ask."""
    known = dict(target.parameters)
    return Target(
        host=known.get("host") or known.get("hostaddr") or f"service {known.get('service', '')}",
        port=int(known.get("port", DEFAULT_PORT).partition(",")[0]),
        database=known.get("dbname", ""),
        user=known.get("user", ""),
        server_version="unknown",
        role="unknown",
    )


def _metrics_file(call: Call) -> Path:
    report = Path(REPORT if call.output == STDOUT else call.output)
    return report.parent / METRICS


def _write_metrics(call: Call, options: ConnectionOptions, report: "ConnectionReport") -> None:
    from dbvitals.render.prometheus import draw

    if options.prometheus:
        write(str(_metrics_file(call)), draw(report, _last_success(call)).encode())


def _refresh_metrics(call: Call, options: ConnectionOptions, report: "ConnectionReport") -> None:
    """While watching; a disk that is full for a while does not end it."""
    try:
        _write_metrics(call, options, report)
    except OutputError as error:
        say(str(error))


def _mark_stale(call: Call, options: ConnectionOptions) -> None:
    """Take the figures of before away, which look healthy; a disk that is full as well is not the news."""
    from dbvitals.render.prometheus import draw_failure

    if options.prometheus:
        try:
            write(str(_metrics_file(call)), draw_failure(_last_success(call)).encode())
        except OutputError as error:
            say(str(error))


def _last_success(call: Call) -> float | None:
    from dbvitals.render.prometheus import last_success_of

    try:
        return last_success_of(_metrics_file(call).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def _exit_code(call: Call, options: ConnectionOptions, report: "ConnectionReport") -> int:
    """A server that refused us, or went away, weighs more than what is therefore missing from the report."""
    above = _above(options.threshold, report)
    found = FOUND if above else exit_code(call, report.worst, ())
    code = exit_code(call, report.worst, report.incomplete)
    if code != INTERRUPTED and (report.server_full or report.server_lost):
        return found or ServerError.exit_code
    return code or found


def _above(threshold: float | None, report: "ConnectionReport") -> bool:
    """Whether utilisation is above the threshold, now or at the peak; says so, or why nobody can tell, in one line."""
    if threshold is None:
        return False
    seen = (report.summary.pool_utilization_percent, report.summary.peak_utilization_percent)
    highest = max((percent for percent in seen if percent is not None), default=None)
    if highest is None:
        why = "the pool has no limit" if report.summary.pool_capacity is None else "how full the pool is is not known"
        say(f"{why}: --threshold cannot be judged")
        return False
    if highest <= threshold:
        return False
    say(f"ALERT: pool utilisation {highest:g} % is above the threshold of {threshold:g} %")
    return True


def _show(call: Call, report: "ConnectionReport", place: str) -> None:
    """Show the report, unless standard output is taken."""
    from dbvitals.render.connection_document import overview, whole

    if call.output == STDOUT or call.quiet:
        return
    if call.format == "json":
        write(STDOUT, to_json(report))
    else:
        show_document(call, overview(report, place) if call.format == "table" else whole(report))
