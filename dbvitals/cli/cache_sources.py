"""Where `dbvitals cache` takes a keyspace from: a server, a dump, a saved snapshot."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.own_reads import with_own_reads
from dbvitals.cli.cache_additions import additions_of, with_additions
from dbvitals.cli.cache_files import read_keyspace
from dbvitals.cli.cache_own_reads import last_looks
from dbvitals.cli.console import Progress
from dbvitals.cli.options import Call
from dbvitals.cli.redis_options import redis_target
from dbvitals.collect.redis import KeyspaceRequest, collect_keyspace
from dbvitals.collect.redis_pace import DEFAULT, FAST, GENTLE, Tempo
from dbvitals.collect.redis_wire import Wire, server_errors
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import Counters, KeyspaceSnapshot

if TYPE_CHECKING:
    from dbvitals.cli.cache import CacheOptions
    from dbvitals.collect.keymiss_setting import MayChange


def seen_keyspace(
    call: Call,
    options: "CacheOptions",
    folding: Folding,
    may_change: "MayChange",
    tell: Progress,
    known: Sequence[Counters],
) -> KeyspaceSnapshot:
    """Give what was seen, from wherever the options say; `known` are counters of earlier runs.

    Raises ServerError, UsageError.
    """
    if options.replay:
        return read_keyspace(options.replay)
    target = redis_target(call.connection, db=options.db, tls=options.tls, tls_ca=options.tls_ca)
    additions = additions_of(call, options, target, folding, may_change, tell)
    if options.rdb:
        return with_additions(_dump(call, options, options.rdb, target, folding, tell), additions)
    snapshot = collect_keyspace(target, folding, _request(options), call.timeouts, tell)
    snapshot = with_additions(snapshot, additions)
    last = last_looks(target, options.master, call.timeouts) if snapshot.after else {}
    return with_own_reads(snapshot, known, last)


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
