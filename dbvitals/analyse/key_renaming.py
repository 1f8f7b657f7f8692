"""Looks and verdicts by pattern, under the names that the patterns have in the report."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

from msgspec import structs

from dbvitals.snapshot_keyspace import KeyspaceSnapshot, NeverRead, PatternLookups
from dbvitals.snapshot_misses import MissesAfterExpiry

_One = TypeVar("_One")


def misses_of(snapshot: KeyspaceSnapshot) -> dict[str, int]:
    """How often keys of each pattern were looked for in vain, as far as somebody counted."""
    found: Counter[str] = Counter()
    for one in snapshot.lookups:
        found[one.pattern] += one.misses
    return {pattern: misses for pattern, misses in sorted(found.items()) if misses}


def renamed(snapshot: KeyspaceSnapshot, names: Mapping[str, str]) -> KeyspaceSnapshot:
    """The snapshot with its lookups, misses and verdicts added up under new names; its patterns are as they were."""
    lookups = [structs.replace(one, pattern=names.get(one.pattern, one.pattern)) for one in snapshot.lookups]
    late = [structs.replace(one, pattern=names.get(one.pattern, one.pattern)) for one in snapshot.after_expiry]
    unread = [structs.replace(one, pattern=names.get(one.pattern, one.pattern)) for one in snapshot.never_read]
    return structs.replace(
        snapshot,
        lookups=tuple(map(_lookups, _grouped(lookups, lambda one: (one.pattern, one.source)))),
        after_expiry=tuple(map(_late, _grouped(late, lambda one: one.pattern))),
        never_read=tuple(map(_unread, _grouped(unread, lambda one: one.pattern))),
    )


def _grouped(items: Iterable[_One], key: Callable[[_One], Hashable]) -> list[list[_One]]:
    """What has the same key together, in the order in which it came."""
    groups: dict[Hashable, list[_One]] = defaultdict(list)
    for one in items:
        groups[key(one)].append(one)
    return list(groups.values())


def _lookups(group: list[PatternLookups]) -> PatternLookups:
    hits = [one.hits for one in group if one.hits is not None]
    return structs.replace(
        group[0],
        hits=sum(hits) if hits else None,
        misses=sum(one.misses for one in group),
        seconds=max((one.seconds for one in group if one.seconds is not None), default=None),
    )


def _late(group: list[MissesAfterExpiry]) -> MissesAfterExpiry:
    buckets: Counter[int] = Counter()
    for one in group:
        buckets.update(one.buckets)
    misses = sum(one.misses for one in group)
    return structs.replace(group[0], misses=misses, buckets=dict(sorted(buckets.items())))


def _unread(group: list[NeverRead]) -> NeverRead:
    return structs.replace(
        group[0], judged=sum(one.judged for one in group), never_read=sum(one.never_read for one in group)
    )
