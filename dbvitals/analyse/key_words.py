"""Tells words that a project chose from what may be the name of a person: by how many keys share them.

`user:maria.garcia` and `config:feature.flags` look the same, so what cannot be told is hidden: `--show-keys` shows it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping

from dbvitals.analyse.key_patterns import Folding, Pieces, is_word, without_kinds

SHARED = 10
"""Keys that share a part in one place: it is the name of their kind, not of somebody."""

SHARED_BY_NAMES = 100
"""The same for a part that looks like a name: a guest may have ten keys. Not for the first, which says the kind."""

ALONE = 2
"""Rare words behind one prefix: where there are more, it is followed by names; one or two may be `count`, `index`."""

_TWO_WORDS = re.compile(r"[A-Za-z][^A-Za-z0-9]+[A-Za-z]")
"""`maria.garcia`, `j_smith`, `ana-maria`."""


def without_people(keys: Mapping[str, int], folding: Folding) -> dict[str, str]:
    """New names of the patterns in which a part may be a person's name: it becomes `*`.

    `keys` says how many there are of each discovered pattern. What comes out stays as it is when it is put in again.
    """
    shapes = {pattern: list(folding.pieces(pattern)) for pattern in keys}
    for place in range(0, max(map(len, shapes.values()), default=0), 2):
        beside: dict[Pieces, Counter[str]] = defaultdict(Counter)
        for pattern, shape in shapes.items():
            if place < len(shape):
                beside[tuple(shape[:place])][shape[place]] += keys[pattern]
        names = {head: _names(words) if head else _looking_like_names(words, SHARED) for head, words in beside.items()}
        for shape in shapes.values():
            if place < len(shape) and shape[place] in names[tuple(shape[:place])]:
                shape[place] = "*"
    joined = {pattern: "".join(shape) for pattern, shape in shapes.items()}
    return {old: new for old, new in joined.items() if old != new}


def _names(words: Mapping[str, int]) -> set[str]:
    """Of the parts that stand behind one prefix, with their keys, those that may be names."""
    rare = {word for word, keys in words.items() if is_word(word) and keys < SHARED}
    named = _looking_like_names(words, SHARED_BY_NAMES)
    return rare | named if named or len(rare) > ALONE or "*" in words else set()


def _looking_like_names(words: Mapping[str, int], shared: int) -> set[str]:
    return {word for word, keys in words.items() if keys < shared and _TWO_WORDS.search(without_kinds(word))}
