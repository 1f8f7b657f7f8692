"""Bounds the number of patterns: those that differ in one part only become one, and the least become `other`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from msgspec import structs

from dbvitals.analyse.key_patterns import OTHER, Folding, Pieces
from dbvitals.analyse.key_words import without_people
from dbvitals.snapshot_keyspace import PatternStats

FAN_OUT = 12
"""Patterns that differ in a single part: so many of them, and the part is an identity, not a word."""

CROWDED = 4000
"""Patterns that are kept apart while keys are still coming: a few megabytes."""

MISSED = 5
"""Patterns that are kept beyond the limit, because keys of them were looked for in vain the most often."""

_NO_MISSES: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Condensed:
    """What patterns are to be called. `names`: the new name of each that loses its own.

    `folded`: of those in which a part became `*`, how they read then, also when they are among `other` now; empty when
    names of keys may be shown as they are.
    """

    names: Mapping[str, str]
    folded: Mapping[str, str]


def condense(
    patterns: Iterable[PatternStats],
    folding: Folding,
    limit: int,
    misses: Mapping[str, int] = _NO_MISSES,
    *,
    names_shown: bool = False,
) -> Condensed:
    """Choose names, so that at most `limit` discovered patterns, those `misses` tell of most, and `other` stay.

    Declared families keep theirs. Unless names are shown, a part that may be a person's is `*`.
    """
    discovered = [stats for stats in patterns if stats.family is None and stats.pattern != OTHER]
    people = {} if names_shown else without_people({stats.pattern: stats.count for stats in discovered}, folding)
    names = _fold_identities(
        {stats.pattern: folding.pieces(people.get(stats.pattern, stats.pattern)) for stats in discovered}
    )
    weights: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for stats in discovered:
        memory, count = weights[names[stats.pattern]]
        weights[names[stats.pattern]] = (memory + stats.memory_bytes, count + stats.count)
    ranked = sorted(weights, key=lambda name: (-weights[name][0], -weights[name][1], name))
    kept = {*ranked[:limit], *_most_missed(names, misses)}
    return Condensed(
        names={old: new if new in kept else OTHER for old, new in names.items() if old != new or new not in kept},
        folded={} if names_shown else {old: new for old, new in names.items() if old != new},
    )


def without_identities(
    patterns: Iterable[PatternStats], folded: Mapping[str, str], folding: Folding
) -> tuple[PatternStats, ...]:
    """Hide in the names of keys what has become `*` in their pattern: it may be the name of a guest."""
    return tuple(
        _hidden(stats, folded[stats.pattern], folding) if stats.pattern in folded else stats for stats in patterns
    )


def _most_missed(names: Mapping[str, str], misses: Mapping[str, int]) -> list[str]:
    sums: dict[str, int] = defaultdict(int)
    for pattern, number in misses.items():
        if pattern in names:
            sums[names[pattern]] += number
    return sorted(sums, key=lambda name: (-sums[name], name))[:MISSED]


def _hidden(stats: PatternStats, shape: str, folding: Folding) -> PatternStats:
    largest = tuple(structs.replace(key, key=_hide(key.key, shape, folding)) for key in stats.largest)
    samples = sorted({_hide(name, shape, folding) for name in stats.samples})
    staying = sorted({_hide(name, shape, folding) for name in stats.staying})
    return structs.replace(stats, largest=largest, samples=tuple(samples), staying=tuple(staying))


def _hide(name: str, shape: str, folding: Folding) -> str:
    """Where the parts of a name are not those of its pattern (it is long, or cut), all after the first `*` goes."""
    kinds, parts = folding.pieces(shape), folding.pieces(name)
    if len(kinds) != len(parts):
        return "".join(parts[: kinds.index("*")]) + "*"
    return "".join("*" if kind == "*" else part for kind, part in zip(kinds, parts, strict=True))


def _fold_identities(patterns: Mapping[str, Pieces]) -> dict[str, str]:
    """Replace parts that take many values by `*`, the most varied place first, until none is left."""
    current = dict(patterns)
    while crowded := _most_varied(set(current.values())):
        current = {pattern: crowded.get(parts, parts) for pattern, parts in current.items()}
    return {pattern: "".join(parts) for pattern, parts in current.items()}


def _most_varied(shapes: set[Pieces]) -> dict[Pieces, Pieces]:
    """The shapes to fold at the place where folding takes away the most; none when every place has few values."""
    by_place: dict[int, dict[Pieces, list[Pieces]]] = defaultdict(lambda: defaultdict(list))
    for shape in shapes:
        for place in range(0, len(shape), 2):
            if shape[place] != "*":
                by_place[place][(*shape[:place], "*", *shape[place + 1 :])].append(shape)
    best: dict[Pieces, Pieces] = {}
    for place in sorted(by_place):
        groups = {new: old for new, old in by_place[place].items() if len(old) >= FAN_OUT}
        folded = {shape: new for new, old in groups.items() for shape in old}
        if len(folded) - len(groups) > len(best) - len(set(best.values())):
            best = folded
    return best
