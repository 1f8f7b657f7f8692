"""`dbvitals indexes`: which indexes of a PostgreSQL are missing, drifted, unused, duplicate, broken or too large."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import structs

from dbvitals import __version__
from dbvitals.cli.console import Progress, collector_paused, progress
from dbvitals.cli.delivery import exit_code, show_document
from dbvitals.cli.options import Call, Number, postgres_options, report_options, warn_of_password
from dbvitals.errors import OutputError, ServerError, UsageError
from dbvitals.model import Skipped
from dbvitals.output import STDOUT, to_json, write
from dbvitals.settings import PostgresTarget, Timeouts, has_password, replica_target

if TYPE_CHECKING:
    from dbvitals.analyse.index_report import IndexReport
    from dbvitals.collect.catalog import Scope
    from dbvitals.expect import Expectations
    from dbvitals.snapshot import CatalogSnapshot

FILE = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)

INTERRUPTED = Skipped(part="interrupted", why="stopped by Ctrl-C", mend="run it to the end")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """What only this command asks for."""

    schema: tuple[str, ...]
    exclude_schema: tuple[str, ...]
    table: tuple[str, ...]
    min_observed: float | None
    replica: tuple[str, ...]
    save: str | None
    replay: Path | None
    diff: Path | None
    sql: str | None
    pg_bin: Path | None

    @property
    def scope(self) -> "Scope":
        """Which schemas and tables are meant."""
        from dbvitals.collect.catalog import Scope

        return Scope(schemas=self.schema, exclude_schemas=self.exclude_schema, tables=self.table)


@click.command
@postgres_options
@click.option("--schema", multiple=True, metavar="GLOB", help="Only these schemas; may be repeated.")
@click.option("--exclude-schema", multiple=True, metavar="GLOB", help="Not these schemas; may be repeated.")
@click.option("--table", multiple=True, metavar="GLOB", help="Only these tables: name or schema.name.")
@click.option(
    "--min-observed",
    type=Number(0, 36_500),
    metavar="DAYS",
    help="How long an index must have gone unused before it may be dropped.  [default: 7]",
)
@click.option("--replica", multiple=True, metavar="DSN", help="Another node whose scans count; may be repeated.")
@click.option("--save", metavar="FILE", help="Keep what was seen, to be replayed with --from.")
@click.option("--from", "replay", type=FILE, metavar="FILE", help="Replay a --save file; no server is asked.")
@click.option("--diff", type=FILE, metavar="OLD.json", help="Show what changed since an older report.")
@click.option("--sql", metavar="FILE", help="Write the statements as a script for psql.")
@click.option("--pg-bin", type=FOLDER, help="PostgreSQL programs that make the declared indexes comparable.")
@report_options(".playbook/index_analysis.json")
def indexes(call: Call, /, **values: Any) -> int:
    """Find missing, drifted, unused, duplicate, invalid, bloated and oversized indexes.

    Nothing is changed on the server. What should be there is declared in [tool.dbvitals]; see docs/settings.md.
    """
    options = IndexOptions(**values)
    _refuse_contradictions(call, options)
    older = _older_report(options)
    with collector_paused():
        report = _report(call, options)
    place = "not written"
    try:
        write(call.output, to_json(report))
        place = call.output
        _write_script(options, report)
    except OutputError:
        _show(call, report, older, place=place)
        raise
    _show(call, report, older, place=place)
    return exit_code(call, report.worst, report.incomplete)


def _refuse_contradictions(call: Call, options: IndexOptions) -> None:
    if options.replay and (options.save or options.replica):
        other = "--save" if options.save else "--replica"
        raise UsageError(f"--from asks no server, so {other} has nothing to do", mend=f"leave {other} out")
    if call.output == STDOUT and options.diff:
        raise UsageError(
            "--output - leaves no room on standard output for --diff", mend="give --output the name of a file"
        )
    if STDOUT in (options.save, options.sql):
        raise UsageError("only --output can be standard output", mend="give the name of a file")


def _older_report(options: IndexOptions) -> "IndexReport | None":
    """Read the report to compare with, before the new one takes its place."""
    from dbvitals.cli.files import read_index_report

    return read_index_report(options.diff) if options.diff else None


def _report(call: Call, options: IndexOptions) -> "IndexReport":
    from dbvitals.analyse.indexes import analyse_indexes
    from dbvitals.cli.declarations import load_expectations

    started = time.monotonic()
    declared = load_expectations(call.config)
    thresholds = call.config.indexes
    if options.min_observed is not None:
        thresholds = replace(thresholds, min_observed_days=options.min_observed)
    with progress(quiet=call.quiet, verbose=call.verbose) as tell:
        snapshot = _snapshot(call, options, tell)
        if options.save:
            write(options.save, to_json(snapshot))
        tell("making the declared indexes comparable")
        expected, skipped = _expected(call, options, declared, snapshot)
        tell("judging")
        return analyse_indexes(
            snapshot,
            expected=expected,
            thresholds=thresholds,
            duration_seconds=time.monotonic() - started,
            tool_version=__version__,
            also_incomplete=skipped,
        )


def _snapshot(call: Call, options: IndexOptions, tell: Progress) -> "CatalogSnapshot":
    from dbvitals.cli.files import read_snapshot

    if options.replay:
        return read_snapshot(options.replay)
    return _collect(call, options, tell)


def _collect(call: Call, options: IndexOptions, tell: Progress) -> "CatalogSnapshot":
    from dbvitals.collect.catalog import collect_catalog
    from dbvitals.collect.postgres import connect

    if any(has_password(dsn) for dsn in options.replica):
        warn_of_password()
    target = call.postgres()
    replicas = [replica_target(dsn, target) for dsn in options.replica]
    tell(f"connecting to {target}")
    with connect(target, call.timeouts) as connection:
        snapshot = collect_catalog(connection, options.scope, call.timeouts, tell)
    for replica in replicas:
        tell(f"reading the index scans of {replica}")
        snapshot = _with_replica(snapshot, replica, call.timeouts)
    return snapshot


def _with_replica(snapshot: "CatalogSnapshot", replica: PostgresTarget, timeouts: Timeouts) -> "CatalogSnapshot":
    """Add the scans of another node. One that cannot be asked leaves the verdict on unused indexes open."""
    from dbvitals.collect.postgres import connect
    from dbvitals.collect.replicas import collect_usage

    try:
        with connect(replica, timeouts) as connection:
            usage = collect_usage(connection, timeouts, snapshot.server)
    except ServerError as error:
        missing = Skipped(part=f"replica {replica}", why=error.what, mend=error.mend)
        return _without_replica(snapshot, missing)
    except KeyboardInterrupt:
        return _without_replica(snapshot, INTERRUPTED)
    return structs.replace(snapshot, replicas=(*snapshot.replicas, usage))


def _without_replica(snapshot: "CatalogSnapshot", missing: Skipped) -> "CatalogSnapshot":
    known = snapshot.server.replicas_known
    at_least = None if known is None else max(known, len(snapshot.replicas) + 1)
    server = structs.replace(snapshot.server, replicas_known=at_least)
    return structs.replace(snapshot, server=server, skipped=(*snapshot.skipped, missing))


def _expected(
    call: Call, options: IndexOptions, declared: "Expectations | None", snapshot: "CatalogSnapshot"
) -> "tuple[CatalogSnapshot | None, tuple[Skipped, ...]]":
    if declared is None:
        return None, ()
    from dbvitals.collect.expected import expected_snapshot

    kept = Path(call.config.expected_snapshot) if call.config.expected_snapshot else None
    try:
        return expected_snapshot(declared, snapshot, kept=kept, pg_bin=options.pg_bin, scope=options.scope)
    except KeyboardInterrupt:
        return None, (INTERRUPTED,)


def _write_script(options: IndexOptions, report: "IndexReport") -> None:
    if options.sql:
        from dbvitals.analyse.sql_script import render_script

        write(options.sql, render_script(report).encode())


def _show(call: Call, report: "IndexReport", older: "IndexReport | None", *, place: str) -> None:
    """Show the report, or what changed since the older one, unless standard output is taken."""
    from dbvitals.analyse.report_diff import diff_reports
    from dbvitals.render.diff_document import diff_document
    from dbvitals.render.index_document import overview, whole

    if call.output == STDOUT or call.quiet:
        return
    diff = diff_reports(older, report) if older else None
    if call.format == "json":
        write(STDOUT, to_json(diff or report))
    elif diff:
        show_document(call, diff_document(diff))
    else:
        show_document(call, overview(report, place) if call.format == "table" else whole(report))
