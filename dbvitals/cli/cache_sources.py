"""Where `dbvitals cache` takes a keyspace from: a server, a dump, a saved snapshot; and what is added to it."""

import sys
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
from dbvitals.collect.redis import KeyspaceRequest, collect_keyspace
from dbvitals.collect.redis_pace import DEFAULT, FAST, GENTLE, Tempo
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import Counters, KeyspaceSnapshot, NodeInfo

if TYPE_CHECKING:
    from dbvitals.cli.cache import CacheOptions
    from dbvitals.collect.key_ages import Ages
    from dbvitals.collect.keymiss_setting import MayChange

AGES = 20_000
"""Keys that are looked at to tell how many were never read: a share is then right within a point."""


def seen_keyspace(call: Call, options: "CacheOptions", folding: Folding, tell: Progress) -> KeyspaceSnapshot:
    """Give what was seen, from wherever the options say. Raises ServerError, UsageError."""
    if options.replay:
        return read_keyspace(options.replay)
    target = redis_target(call.connection, db=options.db, tls=options.tls, tls_ca=options.tls_ca)
    if options.rdb:
        snapshot = _dump(call, options, options.rdb, target, folding, tell)
    else:
        snapshot = collect_keyspace(target, folding, _request(options), call.timeouts, tell)
    if options.never_read:
        snapshot = _with_never_read(call, snapshot, target, folding, tell)
    if options.keymiss:
        snapshot = _with_misses(call, options, snapshot, target, folding, tell)
    if options.metrics:
        snapshot = _with_lookups(call, options.metrics, snapshot, folding, tell)
    return snapshot


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
    from dbvitals.collect.redis_wire import Wire

    db = None if options.all_dbs or options.db is None else target.db

    def show(done: int, total: int) -> None:
        tell(f"reading the dump: {done / max(1, total):.0%}")

    if not options.calibrate:
        return read_rdb(path, folding, db=db, show_keys=options.show_keys, progress=show)
    with Wire(target, connect_timeout=call.timeouts.connect, answer_timeout=call.timeouts.statement) as wire:
        return read_rdb(path, folding, db=db, show_keys=options.show_keys, measure=measure_by(wire), progress=show)


def _with_misses(
    call: Call,
    options: "CacheOptions",
    snapshot: KeyspaceSnapshot,
    target: RedisTarget,
    folding: Folding,
    tell: Progress,
) -> KeyspaceSnapshot:
    from dbvitals.collect.keymiss import listen_for_misses

    targets = [place for _, place in _primaries(snapshot, target)]
    tell(f"listening for misses for {options.keymiss:g} s")
    heard = listen_for_misses(
        targets,
        folding,
        seconds=options.keymiss or 0,
        may_change=_may_change(options),
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
    from dbvitals.collect.key_ages import Ages, sample_ages
    from dbvitals.collect.redis_wire import Wire

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


def _with_own(counters: Counters, ages: "Ages | None") -> Counters:
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


def _may_change(options: "CacheOptions") -> "MayChange":
    """Ask, once for each node; where nobody can be asked, the answer is no."""

    def may_change(node: str, before: str, after: str) -> bool:
        if options.yes:
            return True
        if not sys.stdin.isatty():
            return False
        question = f"{node}: set notify-keyspace-events from {before!r} to {after!r} for {options.keymiss:g} s?"
        return click.confirm(question, default=False, err=True)

    return may_change


def _with_lookups(
    call: Call, url: str, snapshot: KeyspaceSnapshot, folding: Folding, tell: Progress
) -> KeyspaceSnapshot:
    from dbvitals.collect.cache_metrics import read_lookups

    tell("asking the service for its counters")
    lookups, skipped = read_lookups(url, folding.families, timeout=call.timeouts.connect)
    return structs.replace(snapshot, lookups=(*snapshot.lookups, *lookups), skipped=(*snapshot.skipped, *skipped))
