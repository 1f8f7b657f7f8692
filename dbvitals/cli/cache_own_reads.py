"""What `dbvitals cache` knows of reads that are no client's: its own of earlier runs, and that there were others."""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeGuard

from dbvitals.analyse.own_reads import last_counters
from dbvitals.cli.cache_files import read_cache_report, read_keyspace
from dbvitals.collect.redis_info import looks_of, read_info
from dbvitals.collect.redis_topology import group_of
from dbvitals.collect.redis_wire import Wire, server_errors
from dbvitals.errors import ServerError, UsageError
from dbvitals.settings import Timeouts
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import Counters, Looks


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


def last_looks(target: RedisTarget, master: str | None, timeouts: Timeouts) -> dict[str, Looks]:
    """How often anybody has looked at keys of each primary, when all is done; where it does not tell, nothing.

    A server that is gone, or Ctrl-C, does not cost the report.
    """

    def connect(place: RedisTarget) -> Wire:
        return Wire(place, connect_timeout=timeouts.connect, answer_timeout=timeouts.statement)

    try:
        with server_errors(target.name), group_of(target, connect, master=master) as group:
            asked = {wire.name: looks_of(read_info(wire)) for wire in group.primaries}
    except (ServerError, UsageError, KeyboardInterrupt):
        return {}
    return {name: looks for name, looks in asked.items() if looks is not None}
