"""The keys that the service writes to Redis."""

from demo.cache import FAMILIES, KEYS

GUIDE = ("availability:", "session:", "lock:", "rate_limit:", "circuit_breaker:", "tenant:", "pms_cache:")


def test_there_is_one_family_for_each_pattern_of_the_guide() -> None:
    assert tuple(family.name(0).partition(":")[0] + ":" for family in FAMILIES) == GUIDE


def test_no_two_keys_are_the_same_and_there_are_about_five_thousand() -> None:
    assert len({family.name(number) for family in FAMILIES for number in range(family.count)}) == KEYS == 5_000


def test_the_shares_of_the_reads_add_up() -> None:
    assert sum(family.reads for family in FAMILIES) == 100
