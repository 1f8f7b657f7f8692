"""Where `dbvitals cache` takes a keyspace from: a server, a dump, a saved snapshot; and what is added to it."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import click
from msgspec import structs

from dbvitals.analyse.key_patterns import Folding
from dbvitals.cli.cache_files import read_keyspace
from dbvitals.cli.console import Progress
from dbvitals.cli.options import Call
from dbvitals.cli.redis_options import redis_target
from dbvitals.collect.key_ages import PART as NEVER_READ
from dbvitals.collect.key_ages import Ages
from dbvitals.collect.redis import INTERRUPTED, KeyspaceRequest, collect_keyspace
from dbvitals.collect.redis_pace import DEFAULT, FAST, GENTLE, Tempo
from dbvitals.collect.redis_wire import Wire, server_errors
from dbvitals.errors import DbvitalsError
from dbvitals.model import Skipped
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import Counters, KeyspaceSnapshot, NodeInfo

if TYPE_CHECKING:
    from dbvitals.cli.cache import CacheOptions
    from dbvitals.collect.cache_metrics import ServiceCounters
    from dbvitals.collect.keymiss_setting import MayChange

Add = Callable[[KeyspaceSnapshot], KeyspaceSnapshot]
Addition = tuple[str, Add]

AGES = 20_000
"""Keys that are looked at to tell how many were never read: a share is then right within a point."""


def seen_keyspace(
    call: Call, options: "CacheOptions", folding: Folding, may_change: "MayChange", tell: Progress
) -> KeyspaceSnapshot:
    """Give what was seen, from wherever the options say. Raises ServerError, UsageError."""
    if options.replay:
        return read_keyspace(options.replay)
    target = redis_target(call.connection, db=options.db, tls=options.tls, tls_ca=options.tls_ca)
    additions = _additions(call, options, target, folding, may_change, tell)
    if options.rdb:
        snapshot = _dump(call, options, options.rdb, target, folding, tell)
    else:
        snapshot = collect_keyspace(target, folding, _request(options), call.timeouts, tell)
    return _with_additions(snapshot, additions)


def _additions(
    call: Call,
    options: "CacheOptions",
    target: RedisTarget,
    folding: Folding,
    may_change: "MayChange",
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
        found.append((NEVER_READ, lambda snapshot: _with_never_read(call, snapshot, target, folding, tell)))
    if options.keymiss:
        found.append(
            (
                "misses by pattern",
                lambda snapshot: _with_misses(call, options, snapshot, target, folding, may_change, tell),
            )
        )
    return found


def _with_additions(snapshot: KeyspaceSnapshot, additions: Sequence[Addition]) -> KeyspaceSnapshot:
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


def _request(options: "CacheOptions") -> KeyspaceRequest:
    return KeyspaceRequest(
        all_databases=options.all_dbs,
        sample=options.sample,
        tempo=_tempo(options),
        max_seconds=options.max_seconds,
        window=options.window,
        show_keys=options.show_keys,
        master=options.master,
    )


def _tempo(options: "CacheOptions") -> Tempo:
    if options.fast:
        return FAST
    return GENTLE if options.gentle else DEFAULT


def _dump(
    call: Call, options: "CacheOptions", path: Path, target: RedisTarget, folding: Folding, tell: Progress
) -> KeyspaceSnapshot:
    from dbvitals.collect.rdb import read_rdb
    from dbvitals.collect.rdb_calibration import measure_by

    db = None if options.all_dbs or options.db is None else target.db

    def show(done: int, total: int) -> None:
        tell(f"reading the dump: {done / max(1, total):.0%}")

    if not options.calibrate:
        return read_rdb(path, folding, db=db, show_keys=options.show_keys, progress=show)
    timeouts = call.timeouts
    with (
        server_errors(target.name),
        Wire(target, connect_timeout=timeouts.connect, answer_timeout=timeouts.statement) as wire,
    ):
        return read_rdb(path, folding, db=db, show_keys=options.show_keys, measure=measure_by(wire), progress=show)


def _with_misses(
    call: Call,
    options: "CacheOptions",
    snapshot: KeyspaceSnapshot,
    target: RedisTarget,
    folding: Folding,
    may_change: "MayChange",
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
    call: Call, snapshot: KeyspaceSnapshot, target: RedisTarget, folding: Folding, tell: Progress
) -> KeyspaceSnapshot:
    from dbvitals.analyse.never_read import never_read
    from dbvitals.collect.key_ages import sample_ages

    tell("looking for what nobody reads")
    found: dict[str, Ages] = {}
    random = Random(0)  # noqa: S311 - chooses keys, hides nothing
    for node, place in _primaries(snapshot, target):
        with Wire(place, connect_timeout=call.timeouts.connect, answer_timeout=call.timeouts.statement) as wire:
            found[node.name] = sample_ages(wire, folding, keys=AGES, random=random)
    return structs.replace(
        snapshot,
        never_read=never_read(age for ages in found.values() for age in ages.ages),
        after=tuple(_with_own(one, found.get(one.node)) for one in snapshot.after),
        skipped=(*snapshot.skipped, *(skipped for ages in found.values() for skipped in ages.skipped)),
    )


def _with_own(counters: Counters, ages: Ages | None) -> Counters:
    """The counters as they are after we have asked: a later `--since` must not take our reads for the clients'."""
    if ages is None:
        return counters
    return structs.replace(
        counters,
        hits=counters.hits + ages.own_hits,
        misses=counters.misses + ages.own_misses,
        own_hits=counters.own_hits + ages.own_hits,
        own_misses=counters.own_misses + ages.own_misses,
    )


def may_listen(options: "CacheOptions") -> "MayChange":
    """Ask before anything is read; where nobody can be asked, the answer is no."""
    allowed = options.yes
    if options.keymiss and not options.yes and sys.stdin.isatty():
        question = f"set notify-keyspace-events, where it lacks misses, for {options.keymiss:g} s?"
        allowed = click.confirm(question, default=False, err=True)
    return lambda node, before, after: allowed


def _with_lookups(service: "ServiceCounters", snapshot: KeyspaceSnapshot, tell: Progress) -> KeyspaceSnapshot:
    tell("asking the service for its counters")
    lookups, skipped = service.lookups()
    return structs.replace(snapshot, lookups=(*snapshot.lookups, *lookups), skipped=(*snapshot.skipped, *skipped))
