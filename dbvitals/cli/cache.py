"""`dbvitals cache`: what is in a Redis, pattern by pattern, whether it is found there, and what ails it."""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dbvitals import __version__
from dbvitals.cli.console import progress
from dbvitals.cli.delivery import exit_code, show_document
from dbvitals.cli.options import Call, Duration, report_options
from dbvitals.cli.redis_options import redis_options, require_driver, warn_of_redis_password
from dbvitals.errors import UsageError
from dbvitals.output import STDOUT, to_json, write

if TYPE_CHECKING:
    from dbvitals.analyse.keyspace_report import CacheReport
    from dbvitals.snapshot_keyspace import KeyspaceSnapshot

FILE = click.Path(path_type=Path)
REPORT = ".playbook/redis_analysis.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOptions:
    """What only this command asks for."""

    db: str | None
    tls: bool
    tls_ca: str | None
    master: str | None
    all_dbs: bool
    sample: int | None
    fast: bool
    gentle: bool
    max_seconds: float | None
    window: float | None
    since: Path | None
    keymiss: float | None
    never_read: bool
    metrics: str | None
    rdb: Path | None
    calibrate: bool
    save: str | None
    replay: Path | None
    diff: Path | None
    show_keys: bool
    print_acl: bool
    yes: bool

    @property
    def offline(self) -> bool:
        """Whether no pass is made over a server."""
        return self.rdb is not None or self.replay is not None


@click.command
@redis_options
@click.option("--all-dbs", is_flag=True, help="All logical databases, not one.")
@click.option("--sample", type=click.IntRange(100, 10_000_000), metavar="N", help="Random keys instead of all.")
@click.option("--fast", is_flag=True, help="Press harder: slices of 1 ms, without rests.")
@click.option("--gentle", is_flag=True, help="Press less: slices of 250 us, 15 % of the time.")
@click.option("--max-seconds", type=Duration(), metavar="TIME", help="Stop the pass then, with what there is.")
@click.option(
    "--window", type=Duration(), metavar="TIME", help="Count hits and misses within so long, not since start."
)
@click.option("--since", type=FILE, metavar="FILE", help="Count hits and misses since a --save file was written.")
@click.option("--keymiss", type=Duration(), metavar="TIME", help="Listen for misses so long: which keys are not found.")
@click.option("--never-read", is_flag=True, help="Estimate which cached values nobody has read.")
@click.option("--metrics", metavar="URL", help="The service's /metrics: hits and misses of each family.")
@click.option("--rdb", type=FILE, metavar="FILE", help="Read a dump; no server is asked.")
@click.option("--calibrate", is_flag=True, help="With --rdb: fit its sizes to those of the server.")
@click.option("--save", metavar="FILE", help="Keep what was seen, to be replayed with --from.")
@click.option("--from", "replay", type=FILE, metavar="FILE", help="Replay a --save file; no server is asked.")
@click.option("--diff", type=FILE, metavar="OLD.json", help="Show what changed since an older report.")
@click.option("--show-keys", is_flag=True, help="Names of keys as they are: guests' data may be in them.")
@click.option("--print-acl", is_flag=True, help="Print the rights that this takes, and do nothing else.")
@click.option("--yes", is_flag=True, help="Do not ask before --keymiss switches notifications on.")
@report_options(REPORT)
def cache(call: Call, /, **values: Any) -> int:
    """Add up the keys of a Redis by pattern: TTLs, bytes, hits, evictions, and what is wrong with them.

    Every key is looked at, in short slices; nothing is written, and nothing of value is read. What should be there is
    declared in [tool.dbvitals]; see docs/cache.md.
    """
    options = CacheOptions(**values)
    if options.print_acl:
        from dbvitals.collect.redis_rights import acl_lines

        click.echo("\n".join(acl_lines()))
        return 0
    require_driver()
    _refuse_contradictions(call, options)
    warn_of_redis_password(call.connection.get("dsn"))
    older = _older_report(options)
    report = _report(call, options)
    place = "not written"
    try:
        write(call.output, to_json(report))
        place = call.output
    finally:
        _show(call, report, older, place=place)
    return exit_code(call, report.worst, report.incomplete)


def _refuse_contradictions(call: Call, options: CacheOptions) -> None:
    pairs = (
        (options.fast and options.gentle, "--fast", "--gentle"),
        (options.window and options.since, "--window", "--since"),
        (options.rdb and options.replay, "--rdb", "--from"),
        (options.offline and options.sample, "--sample", "--rdb or --from"),
        (options.offline and options.window, "--window", "--rdb or --from"),
        (options.offline and options.keymiss, "--keymiss", "--rdb or --from"),
        (options.offline and options.never_read, "--never-read", "--rdb or --from"),
        (options.offline and options.fast, "--fast", "--rdb or --from"),
        (options.offline and options.gentle, "--gentle", "--rdb or --from"),
        (options.offline and options.max_seconds, "--max-seconds", "--rdb or --from"),
        (options.offline and options.master, "--master", "--rdb or --from"),
        (options.rdb and options.since, "--since", "--rdb"),
        (options.replay and options.save, "--save", "--from"),
        (options.replay and options.metrics, "--metrics", "--from"),
        (options.replay and options.show_keys, "--show-keys", "--from"),
        (options.replay and options.all_dbs, "--all-dbs", "--from"),
        (options.replay and options.db, "--db", "--from"),
        (options.all_dbs and options.db, "--db", "--all-dbs"),
    )
    for both, one, other in pairs:
        if both:
            raise UsageError(f"{one} does not go with {other}", mend=f"leave {one} out")
    if options.calibrate and not options.rdb:
        raise UsageError("--calibrate is for the sizes of a dump", mend="give the dump with --rdb")
    if options.master == "":
        raise UsageError("--master is empty", mend="give it the name that the Sentinel knows")
    if call.output == STDOUT and options.diff:
        raise UsageError("--output - leaves no room on standard output for --diff", mend="give --output a file")
    if options.save == STDOUT:
        raise UsageError("only --output can be standard output", mend="give --save the name of a file")
    if options.save and Path(options.save).resolve() == Path(call.output).resolve():
        raise UsageError("--save and --output name the same file", mend="give --save another one")


def _older_report(options: CacheOptions) -> "CacheReport | None":
    """Read the report to compare with, before the new one takes its place."""
    from dbvitals.cli.cache_files import read_cache_report

    return read_cache_report(options.diff) if options.diff else None


def separators_of(call: Call) -> str:
    """The characters between the parts of a key's name. Raises UsageError for what cannot be one."""
    separators = call.config.key_separators
    if not re.fullmatch(r"[!-)+-/:-z|~]+", separators):
        raise UsageError(
            f"{call.config_name}: key_separators = {separators!r} makes no sense", mend="write characters such as :/"
        )
    return separators


def _earlier(path: Path) -> "KeyspaceSnapshot":
    """Read the snapshot since which hits and misses count. Raises UsageError."""
    from dbvitals.cli.cache_files import read_keyspace

    earlier = read_keyspace(path)
    if not earlier.before:
        raise UsageError(f"{path} holds no hits and misses: it is of a dump", mend="give one that is of a server")
    return earlier


def _report(call: Call, options: CacheOptions) -> "CacheReport":
    from dbvitals.analyse.key_patterns import Folding
    from dbvitals.analyse.key_renaming import anonymous
    from dbvitals.analyse.keyspace import analyse_keyspace
    from dbvitals.cli.cache_additions import may_listen
    from dbvitals.cli.cache_own_reads import known_counters
    from dbvitals.cli.cache_sources import seen_keyspace
    from dbvitals.cli.declarations import load_families

    started = time.monotonic()
    families = load_families(call.config)
    folding = Folding(families, separators_of(call))
    earlier = _earlier(options.since) if options.since else None
    may_change = may_listen(options)
    saved = Path(options.save) if options.save else None
    known = known_counters((Path(call.output), Path(REPORT), options.diff), (saved, options.since))
    with progress(quiet=call.quiet, verbose=call.verbose) as tell:
        snapshot = seen_keyspace(call, options, folding, may_change, tell, known)
        if options.save:
            write(options.save, to_json(anonymous(snapshot, folding)))
        if earlier:  # after it was saved: a later --since needs what was counted since the start
            from dbvitals.collect.cache_metrics import lookups_since

            snapshot = lookups_since(snapshot, earlier)
        tell("judging")
        return analyse_keyspace(
            snapshot,
            families=families,
            folding=folding,
            thresholds=call.config.cache,
            earlier=earlier,
            duration_seconds=time.monotonic() - started,
            tool_version=__version__,
        )


def _show(call: Call, report: "CacheReport", older: "CacheReport | None", *, place: str) -> None:
    """Show the report, or what changed since the older one, unless standard output is taken."""
    from dbvitals.analyse.keyspace_diff import diff_cache_reports
    from dbvitals.render.keyspace_diff_document import cache_diff_document
    from dbvitals.render.keyspace_document import overview, whole

    if call.output == STDOUT or call.quiet:
        return
    diff = diff_cache_reports(older, report) if older else None
    if call.format == "json":
        write(STDOUT, to_json(diff or report))
    elif diff:
        show_document(call, cache_diff_document(diff))
    else:
        show_document(call, overview(report, place) if call.format == "table" else whole(report))
