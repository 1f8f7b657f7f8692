"""Looks and verdicts by pattern, under the names that the patterns have in the report."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TypeVar

from msgspec import structs

from dbvitals.analyse.key_condense import without_identities
from dbvitals.analyse.key_patterns import OTHER, Folding
from dbvitals.analyse.key_tally import merge
from dbvitals.analyse.key_words import without_people
from dbvitals.snapshot_keyspace import KeyspaceSnapshot, NeverRead, PatternLookups
from dbvitals.snapshot_misses import MissesAfterExpiry

_One = TypeVar("_One")


def misses_of(snapshot: KeyspaceSnapshot) -> dict[str, int]:
    """How often keys of each pattern were looked for in vain, as far as somebody counted."""
    found: Counter[str] = Counter()
    for one in snapshot.lookups:
        found[one.pattern] += one.misses
    return {pattern: misses for pattern, misses in sorted(found.items()) if misses}


def anonymous(snapshot: KeyspaceSnapshot, folding: Folding) -> KeyspaceSnapshot:
    """The snapshot as it may be kept: without parts that may be somebody's name, unless names are to be shown."""
    if snapshot.names_shown:
        return snapshot
    names = without_people(_discovered(snapshot, folding), folding)
    patterns = merge(without_identities(snapshot.patterns, names, folding), names)
    sample = tuple(structs.replace(key, pattern=names.get(key.pattern, key.pattern)) for key in snapshot.sample)
    return renamed(structs.replace(snapshot, patterns=patterns, sample=sample), names)


def _discovered(snapshot: KeyspaceSnapshot, folding: Folding) -> dict[str, int]:
    """Patterns that nobody declared, with their keys: also those that have none, and were only asked for."""
    asked = {one.pattern for one in snapshot.lookups} | {one.pattern for one in snapshot.after_expiry}
    looked_at = {one.pattern for one in snapshot.never_read} | {one.pattern for one in snapshot.sample}
    keys = dict.fromkeys(asked | looked_at, 0) | {stats.pattern: stats.count for stats in snapshot.patterns}
    return {name: keys[name] for name in sorted(keys) if name != OTHER and folding.family_of(name) is None}


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
