"""Bounds the number of patterns: those that differ in one part only become one, and the least become `other`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from dbvitals.analyse.key_patterns import OTHER, Folding
from dbvitals.snapshot_keyspace import PatternStats

FAN_OUT = 12
"""Patterns that differ in a single part: so many of them, and the part is an identity, not a word."""

CROWDED = 4000
"""Patterns that are kept apart while keys are still coming: a few megabytes."""

_Parts = tuple[str, ...]


def condense(patterns: Iterable[PatternStats], folding: Folding, limit: int) -> dict[str, str]:
    """Give the new name of each pattern that loses its own, so that at most `limit` discovered ones and `other` stay.

    Declared families keep theirs.
    """
    discovered = [stats for stats in patterns if stats.family is None and stats.pattern != OTHER]
    names = _fold_identities({stats.pattern: _parts(stats.pattern, folding) for stats in discovered})
    weights: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for stats in discovered:
        memory, count = weights[names[stats.pattern]]
        weights[names[stats.pattern]] = (memory + stats.memory_bytes, count + stats.count)
    ranked = sorted(weights, key=lambda name: (-weights[name][0], -weights[name][1], name))
    kept = set(ranked[:limit])
    return {old: new if new in kept else OTHER for old, new in names.items() if old != new or new not in kept}


def _parts(pattern: str, folding: Folding) -> _Parts:
    """Parts and the separators after them, in turn, so that they can be joined again."""
    parts: list[str] = [""]
    for character in pattern:
        if character in folding.separators:
            parts += [character, ""]
        else:
            parts[-1] += character
    return tuple(parts)


def _fold_identities(patterns: Mapping[str, _Parts]) -> dict[str, str]:
    """Replace parts that take many values by `*`, the most varied place first, until none is left."""
    current = dict(patterns)
    while crowded := _most_varied(set(current.values())):
        current = {pattern: crowded.get(parts, parts) for pattern, parts in current.items()}
    return {pattern: "".join(parts) for pattern, parts in current.items()}


def _most_varied(shapes: set[_Parts]) -> dict[_Parts, _Parts]:
    """The shapes to fold at the place where folding takes away the most; none when every place has few values."""
    by_place: dict[int, dict[_Parts, list[_Parts]]] = defaultdict(lambda: defaultdict(list))
    for shape in shapes:
        for place in range(0, len(shape), 2):
            if shape[place] != "*":
                by_place[place][(*shape[:place], "*", *shape[place + 1 :])].append(shape)
    best: dict[_Parts, _Parts] = {}
    for place in sorted(by_place):
        groups = {new: old for new, old in by_place[place].items() if len(old) >= FAN_OUT}
        folded = {shape: new for new, old in groups.items() for shape in old}
        if len(folded) - len(groups) > len(best) - len(set(best.values())):
            best = folded
    return best
