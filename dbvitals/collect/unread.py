"""Adds to a snapshot which keys were never read: a sample over all its nodes and databases, each by its share."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from msgspec import structs

from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.never_read import never_read
from dbvitals.collect.key_ages import PART, Ages, sample_ages
from dbvitals.collect.redis import INTERRUPTED
from dbvitals.collect.redis_wire import Wire, server_errors
from dbvitals.errors import ServerError
from dbvitals.model import Skipped
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import Counters, DatabaseInfo, KeyspaceSnapshot, NodeInfo

AGES = 20_000
"""Keys that are looked at to tell how many were never read: a share is then right within a point."""

Connect = Callable[[RedisTarget], Wire]


@dataclass(frozen=True, slots=True)
class _Stop:
    """One node to ask, and how many keys to look at in each of its databases."""

    node: str
    target: RedisTarget
    keys: tuple[tuple[int, int], ...]


def with_never_read(
    snapshot: KeyspaceSnapshot,
    places: Sequence[tuple[NodeInfo, RedisTarget]],
    folding: Folding,
    connect: Connect,
    *,
    db: int | None,
    seed: int = 0,
) -> KeyspaceSnapshot:
    """Give the snapshot with the estimate; `db` is one logical database, None all of them.

    A node that fails is named in `skipped`, Ctrl-C ends it; either way what was seen until then counts, and so do the
    hits that it has caused.
    """
    ages: dict[str, Ages] = {}
    random = Random(seed)  # noqa: S311 - chooses keys, hides nothing
    ended: tuple[Skipped, ...] = ()
    try:
        for stop in _stops(places, db):
            ages[stop.node] = Ages()
            _visit(stop, ages[stop.node], folding, connect, random)
    except KeyboardInterrupt:
        ended = (INTERRUPTED,)
    return structs.replace(
        snapshot,
        never_read=never_read(age for found in ages.values() for age in found.ages),
        after=tuple(_with_own(one, ages.get(one.node, Ages())) for one in snapshot.after),
        skipped=(*snapshot.skipped, *(missing for found in ages.values() for missing in found.skipped), *ended),
    )


def _stops(places: Sequence[tuple[NodeInfo, RedisTarget]], db: int | None) -> Iterator[_Stop]:
    """Nodes and databases that have keys, each with as much of the sample as it has of all keys."""

    def chosen(node: NodeInfo) -> list[DatabaseInfo]:
        return [base for base in node.databases if base.keys and db in (None, base.index)]

    total = sum(base.keys for node, _ in places for base in chosen(node))
    for node, target in places:
        if shares := tuple((base.index, math.ceil(AGES * base.keys / total)) for base in chosen(node)):
            yield _Stop(node.name, target, shares)


def _visit(stop: _Stop, ages: Ages, folding: Folding, connect: Connect, random: Random) -> None:
    first, last = stop.keys[0][0], stop.keys[0][0]
    try:
        with server_errors(stop.node), connect(replace(stop.target, db=first)) as wire:
            for last, keys in stop.keys:
                if last != first:
                    wire.select(last)
                sample_ages(wire, folding, keys=keys, random=random, ages=ages)
                if ages.skipped:
                    break
    except ServerError as error:
        ages.skipped.append(Skipped(part=f"{PART} on {stop.node}", why=error.what, mend=error.mend))
    if ages.skipped and last != first:
        ages.skipped[-1] = structs.replace(ages.skipped[-1], part=f"{PART} on {stop.node} from database {last} on")


def _with_own(counters: Counters, ages: Ages) -> Counters:
    """The counters as they are after we have asked: a later `--since` must not take our reads for the clients'."""
    return structs.replace(
        counters,
        hits=counters.hits + ages.own_hits,
        misses=counters.misses + ages.own_misses,
        own_hits=counters.own_hits + ages.own_hits,
        own_misses=counters.own_misses + ages.own_misses,
    )
