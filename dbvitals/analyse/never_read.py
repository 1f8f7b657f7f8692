"""Which keys were written and not read later: told from how long a key lies idle against how old it is.

A key that was written with a TTL of T and has R left is T - R old. Where it has been idle for as long, nobody has asked
for it since: idle time and what is left of the TTL add up to T. Reading a key makes the sum less. So where all keys of
a pattern are written with one TTL, the largest sum is that TTL, and the keys that reach it were not read since.

Whether a key was read in the first seconds after it was written cannot be told.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dbvitals.snapshot_keyspace import NeverRead

TOLERANCE = 3.0
"""Seconds: OBJECT IDLETIME counts whole ones, by a clock of its own, and the two commands are not asked at once. A read
that comes sooner after the write than this is not seen."""

YOUNG = 2 * TOLERANCE
"""A key younger than this may have been read at once after it was written; nothing is said of it."""

SPREAD_LEAST = 0.02
"""The share of a pattern's keys that must reach the largest sum. Fewer: their TTLs differ, or all have been read."""

FEWEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAge:
    """How long a key of a pattern has been idle, and what is left of its TTL. Seconds."""

    pattern: str
    idle: float
    left: float


def never_read(ages: Iterable[KeyAge]) -> tuple[NeverRead, ...]:
    """Judge the keys of every pattern of which the TTL can be told; patterns by name."""
    by_pattern: dict[str, list[KeyAge]] = defaultdict(list)
    for age in ages:
        by_pattern[age.pattern].append(age)
    found = (_judge(pattern, by_pattern[pattern]) for pattern in sorted(by_pattern))
    return tuple(one for one in found if one is not None)


def _judge(pattern: str, ages: Sequence[KeyAge]) -> NeverRead | None:
    if len(ages) < FEWEST:
        return None
    ttl = max(age.idle + age.left for age in ages)
    old = [age for age in ages if ttl - age.left > YOUNG]
    unread = sum(age.idle + age.left > ttl - TOLERANCE for age in old)
    if len(old) < FEWEST or unread < SPREAD_LEAST * len(old):
        return None
    return NeverRead(pattern=pattern, judged=len(old), never_read=unread)
