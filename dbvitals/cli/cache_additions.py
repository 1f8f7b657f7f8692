"""What `dbvitals cache` adds to a finished pass: misses, the service's own counters, and what nobody reads."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click
from msgspec import structs

from dbvitals.analyse.key_patterns import Folding
from dbvitals.cli.console import Progress
from dbvitals.cli.options import Call
from dbvitals.collect.key_ages import PART as NEVER_READ
from dbvitals.collect.keymiss_setting import MayChange, Objection
from dbvitals.collect.redis import INTERRUPTED
from dbvitals.collect.redis_wire import Wire, server_errors
from dbvitals.errors import DbvitalsError
from dbvitals.model import Skipped
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import KeyspaceSnapshot, NodeInfo

if TYPE_CHECKING:
    from dbvitals.cli.cache import CacheOptions
    from dbvitals.collect.cache_metrics import ServiceCounters

Add = Callable[[KeyspaceSnapshot], KeyspaceSnapshot]
Addition = tuple[str, Add]


def additions_of(
    call: Call,
    options: "CacheOptions",
    target: RedisTarget,
    folding: Folding,
    may_change: MayChange,
    tell: Progress,
) -> list[Addition]:
    """What is to be added to the snapshot, and what each is called; the service's counters begin here."""
    found: list[Addition] = []
    if options.metrics:
        from dbvitals.collect.cache_metrics import PART, ServiceCounters

        service = ServiceCounters(options.metrics, folding.families, timeout=call.timeouts.connect)
        if options.window:
            service.begin()
        found.append((PART, lambda snapshot: _with_lookups(service, snapshot, tell)))
    if options.never_read:
        found.append((NEVER_READ, lambda snapshot: _with_never_read(call, options, snapshot, target, folding, tell)))
    if options.keymiss:
        found.append(
            (
                "misses by pattern",
                lambda snapshot: _with_misses(call, options, snapshot, target, folding, may_change, tell),
            )
        )
    return found


def with_additions(snapshot: KeyspaceSnapshot, additions: Sequence[Addition]) -> KeyspaceSnapshot:
    """Add one after the other until Ctrl-C: the pass before them may have taken an hour, and is not thrown away."""
    try:
        for part, add in additions:
            if INTERRUPTED in snapshot.skipped:
                break
            snapshot = _tried(snapshot, part, add)
    except KeyboardInterrupt:
        return _without(snapshot, INTERRUPTED)
    return snapshot


def _tried(snapshot: KeyspaceSnapshot, part: str, add: Add) -> KeyspaceSnapshot:
    """The snapshot with the addition; where that fails, with the name of what is missing."""
    try:
        with server_errors(snapshot.source):
            return add(snapshot)
    except DbvitalsError as error:
        return _without(snapshot, Skipped(part=part, why=error.what, mend=error.mend))
    except OSError as error:
        return _without(snapshot, Skipped(part=part, why=error.strerror or type(error).__name__, mend="run again"))


def _without(snapshot: KeyspaceSnapshot, missing: Skipped) -> KeyspaceSnapshot:
    return structs.replace(snapshot, skipped=(*snapshot.skipped, missing))


def _with_misses(
    call: Call,
    options: "CacheOptions",
    snapshot: KeyspaceSnapshot,
    target: RedisTarget,
    folding: Folding,
    may_change: MayChange,
    tell: Progress,
) -> KeyspaceSnapshot:
    from dbvitals.collect.keymiss import listen_for_misses

    targets = [place for _, place in _primaries(snapshot, target)]
    tell(f"listening for misses for {options.keymiss:g} s")
    heard = listen_for_misses(
        targets,
        folding,
        seconds=options.keymiss or 0,
        may_change=may_change,
        connect_timeout=call.timeouts.connect,
        db=None if options.all_dbs else target.db,
    )
    return structs.replace(
        snapshot,
        lookups=(*snapshot.lookups, *heard.lookups),
        after_expiry=heard.after_expiry,
        skipped=(*snapshot.skipped, *heard.skipped),
    )


def _primaries(snapshot: KeyspaceSnapshot, target: RedisTarget) -> list[tuple[NodeInfo, RedisTarget]]:
    """The nodes that answer the clients, and how to reach them."""
    nodes = [node for node in snapshot.nodes if node.role == "primary"] or list(snapshot.nodes)
    return [(node, target if node.name == target.name else target.at(node.host, node.port)) for node in nodes]


def _with_never_read(
    call: Call,
    options: "CacheOptions",
    snapshot: KeyspaceSnapshot,
    target: RedisTarget,
    folding: Folding,
    tell: Progress,
) -> KeyspaceSnapshot:
    from dbvitals.collect.unread import with_never_read

    def connect(place: RedisTarget) -> Wire:
        return Wire(place, connect_timeout=call.timeouts.connect, answer_timeout=call.timeouts.statement)

    tell("looking for what nobody reads")
    db = None if options.all_dbs else target.db
    return with_never_read(snapshot, _primaries(snapshot, target), folding, connect, db=db)


def may_listen(options: "CacheOptions") -> MayChange:
    """Ask before anything is read; where nobody can be asked, the answer is no."""
    if not options.keymiss or options.yes:
        return lambda node, before, after: None
    if not sys.stdin.isatty():
        why = "nobody could be asked whether notify-keyspace-events may be changed: there is no terminal"
        return lambda node, before, after: _objection(why, after)
    if _confirmed(f"set notify-keyspace-events, where it lacks misses, for {options.keymiss:g} s?"):
        return lambda node, before, after: None
    return lambda node, before, after: _objection("you said no to a change of notify-keyspace-events", after)


def _confirmed(question: str) -> bool:
    try:
        return click.confirm(question, err=True)
    except click.Abort:  # what is said next begins a line of its own
        click.echo(err=True)
        raise


def _objection(why: str, wanted: str) -> Objection:
    return Objection(why=why, mend=f"give --yes, or set it beforehand: CONFIG SET notify-keyspace-events {wanted}")


def _with_lookups(service: "ServiceCounters", snapshot: KeyspaceSnapshot, tell: Progress) -> KeyspaceSnapshot:
    tell("asking the service for its counters")
    lookups, skipped = service.lookups()
    return structs.replace(snapshot, lookups=(*snapshot.lookups, *lookups), skipped=(*snapshot.skipped, *skipped))
