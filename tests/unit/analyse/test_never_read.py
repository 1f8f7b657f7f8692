"""Which keys were written and never read, from idle times and what is left of their TTL."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from dbvitals.analyse.never_read import KeyAge, never_read

TTL = 600.0


def written(count: int, *, random: Random, ttl: float = TTL, pattern: str = "cache:*") -> list[KeyAge]:
    """Keys of all ages that nobody has read."""
    ages = (random.uniform(10, ttl - 1) for _ in range(count))
    return [KeyAge(pattern=pattern, idle=float(int(age)), left=ttl - age) for age in ages]


def read(count: int, *, random: Random, pattern: str = "cache:*") -> list[KeyAge]:
    """Keys of all ages that somebody has read at some moment since."""
    ages = (random.uniform(20, TTL - 1) for _ in range(count))
    return [KeyAge(pattern=pattern, idle=float(int(random.uniform(0, age - 5))), left=TTL - age) for age in ages]


@given(st.integers(0, 2**32), st.integers(20, 300), st.integers(0, 300))
def test_every_key_is_told_right(seed: int, unread: int, used: int) -> None:
    random = Random(seed)
    (found,) = never_read(written(unread, random=random) + read(used, random=random))
    # Of a few hundred keys some may have been read within a second of their writing.
    assert found.judged == unread + used
    assert unread <= found.never_read <= unread + 0.05 * used + 2


def test_young_keys_are_not_judged() -> None:
    random = Random(1)
    young = [KeyAge(pattern="cache:*", idle=0.0, left=TTL - 1.0) for _ in range(500)]
    (found,) = never_read(young + written(100, random=random))
    assert (found.judged, found.never_read) == (100, 100)


def test_nothing_is_said_where_ttls_differ() -> None:
    random = Random(1)
    mixed = [age for _ in range(200) for age in written(1, random=random, ttl=random.uniform(60, 6000))]
    assert never_read(mixed) == ()


def test_nothing_is_said_of_a_handful() -> None:
    assert never_read(written(19, random=Random(1))) == ()


def test_patterns_are_judged_apart() -> None:
    random = Random(1)
    ages = written(50, random=random, pattern="b:*") + read(50, random=random, pattern="a:*")
    ages += written(50, random=random, pattern="a:*")
    assert [(one.pattern, one.judged) for one in never_read(ages)] == [("a:*", 100), ("b:*", 50)]
