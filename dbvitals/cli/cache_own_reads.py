"""What `dbvitals cache` knows of reads that are no client's: its own of earlier runs, and that there were others."""

import contextlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TypeGuard

from dbvitals.analyse.own_reads import last_counters
from dbvitals.cli.cache_files import read_cache_report, read_keyspace
from dbvitals.collect.redis_topology import group_of
from dbvitals.collect.redis_wire import RefusedError, Wire, server_errors
from dbvitals.errors import ServerError, UsageError
from dbvitals.settings import Timeouts
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import Counters, Looks

_CALLS = re.compile(rb"^cmdstat_([a-z]+)(?:\|[a-z]+)?:calls=(\d+)", re.MULTILINE)
_FIELDS = ("hrandfield", "hpttl")


def known_counters(reports: Iterable[Path | None], snapshots: Iterable[Path | None]) -> tuple[Counters, ...]:
    """The last counters of earlier runs, by what they have left; what stands there may be anything, or nothing."""
    known: list[Counters] = []
    for path in filter(_is_there, reports):
        with contextlib.suppress(UsageError):
            known += read_cache_report(path).counters
    for path in filter(_is_there, snapshots):
        with contextlib.suppress(UsageError):
            known += last_counters(read_keyspace(path))
    return tuple(known)


def _is_there(path: Path | None) -> TypeGuard[Path]:
    return path is not None and path.is_file()


def first_looks(target: RedisTarget, master: str | None, timeouts: Timeouts) -> dict[str, Looks]:
    """How often anybody has looked at keys of each primary, as far as it tells. Raises ServerError."""

    def connect(place: RedisTarget) -> Wire:
        return Wire(place, connect_timeout=timeouts.connect, answer_timeout=timeouts.statement)

    with server_errors(target.name), group_of(target, connect, master=master) as group:
        asked = {wire.name: _looks(wire) for wire in group.primaries}
        return {name: looks for name, looks in asked.items() if looks is not None}


def last_looks(target: RedisTarget, master: str | None, timeouts: Timeouts) -> dict[str, Looks]:
    """The same when the keys have been read; a server that is gone, or Ctrl-C, does not cost the report."""
    try:
        return first_looks(target, master, timeouts)
    except (ServerError, UsageError, KeyboardInterrupt):
        return {}


def _looks(wire: Wire) -> Looks | None:
    """None where the server does not tell."""
    try:
        answer: bytes = wire.call("INFO", "commandstats")
    except RefusedError:
        return None
    calls: Counter[str] = Counter()
    for name, number in _CALLS.findall(answer):
        calls[name.decode()] += int(number)
    if not calls:
        return None
    return Looks(
        pttl=calls["pttl"],
        type=calls["type"],
        object=calls["object"],
        memory=calls["memory"],
        fields=sum(calls[name] for name in _FIELDS),
    )
