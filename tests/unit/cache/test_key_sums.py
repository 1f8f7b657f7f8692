"""Sums by pattern: added up, added to each other, and kept to a bounded number."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.expectations import FAMILIES
from dbvitals.analyse import key_tally
from dbvitals.analyse.key_condense import condense
from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.key_tally import KeyspaceTally, PatternTally, bucket_middle, bucket_of, merge, percentile
from dbvitals.snapshot_keyspace import KeySize, PatternStats
from tests.unit.cache.builders import add, stats

FOLDING = Folding(FAMILIES)


@given(st.integers(1, 2**53))
def test_a_bucket_is_within_3_percent(ttl_ms: int) -> None:
    assert abs(bucket_middle(bucket_of(ttl_ms)) - ttl_ms) <= 0.0323 * ttl_ms + 0.5


@given(st.integers(0, 2**53), st.integers(0, 2**53))
def test_buckets_keep_the_order(one: int, other: int) -> None:
    assert (bucket_of(one) <= bucket_of(other)) or one > other


def test_no_time_is_the_lowest_bucket_trap_13() -> None:
    assert (bucket_of(0), bucket_middle(0)) == (0, 0.0)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=200), st.sampled_from([0.01, 0.5, 0.99, 1.0]))
def test_a_percentile_is_that_of_the_keys(ttls: list[int], share: float) -> None:
    exact = sorted(ttls)[max(0, math.ceil(share * len(ttls)) - 1)]
    found = percentile(stats("a", ttls).ttl_buckets, share)
    assert found == pytest.approx(exact, rel=0.04, abs=1)


def test_no_keys_have_no_percentile() -> None:
    assert percentile({}, 0.5) is None


def test_gone_and_without_ttl_are_told_apart_trap_12_14() -> None:
    frozen = stats("a", (-2, -1, 0, 500))
    assert (frozen.count, frozen.gone, frozen.no_ttl, frozen.ttl_known) == (3, 1, 1, 3)
    assert (frozen.ttl_min_ms, frozen.ttl_max_ms, frozen.ttl_sum_ms) == (0, 500, 500)


ttls = st.lists(st.integers(-2, 10**6), max_size=20)


@given(ttls, ttls)
def test_sums_of_parts_are_the_sum_of_the_whole(one: list[int], other: list[int]) -> None:
    whole = stats("a", [*one, *other])
    (merged,) = merge([stats("a", one), stats("a", other)], {})
    assert [getattr(merged, name) for name in SUMS] == [getattr(whole, name) for name in SUMS]


SUMS = ("count", "gone", "no_ttl", "ttl_known", "ttl_sum_ms", "ttl_min_ms", "ttl_max_ms", "ttl_buckets")


def test_the_largest_keys_are_kept() -> None:
    tally = PatternTally()
    for size in (3, 9, 1, 7, 5, 8, 8, 2):
        tally.add_large(KeySize(key=f"k{size}", memory_bytes=size))
    assert [key.memory_bytes for key in tally.largest] == [9, 8, 7, 5, 3]


def condensed(patterns: list[PatternStats], limit: int = 40) -> dict[str, int]:
    merged = merge(patterns, condense(patterns, FOLDING, limit).names)
    return {one.pattern: one.count for one in merged}


def test_parts_that_take_many_values_are_folded_trap_18() -> None:
    names = [f"user:{name}:{what}" for name in map("guest{}".format, "abcdefghijklmnop") for what in ("cart", "mail")]
    assert condensed([stats(name, [-1]) for name in names]) == {"user:*:cart": 16, "user:*:mail": 16}


def test_few_values_that_many_keys_share_are_words() -> None:
    names = [f"queue:{letter}:<n>" for letter in "abcdefghijk"]
    assert condensed([stats(name, [-1] * 10) for name in names]) == dict.fromkeys(names, 10)


def test_the_least_become_other_and_nothing_is_lost() -> None:
    patterns = [stats(f"p{chr(97 + n % 26)}{chr(97 + n // 26)}:x{n % 7}:y{n % 5}", [-1] * (n + 1)) for n in range(60)]
    found = condensed(patterns, limit=5)
    assert len(found) <= 6
    assert sum(found.values()) == sum(one.count for one in patterns)


def test_declared_families_keep_their_names() -> None:
    patterns = [stats("session:*", [-1]), *(stats(f"x{letter}", [-1] * 9) for letter in "abcdefghijklmnopq")]
    assert condensed(patterns, limit=0) == {"session:*": 1, "other": 153}


def test_the_number_of_patterns_stays_bounded_while_keys_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_tally, "CROWDED", 50)
    tally = KeyspaceTally(FOLDING)
    for number in range(3_000):
        name = "".join(chr(97 + int(digit)) for digit in str(number))
        add(tally.of(f"{name}:{name[::-1]}"), -1)
        add(tally.of("session:*"), 9)
    frozen = tally.freeze()
    assert len(frozen) <= 52
    assert sum(one.count for one in frozen) == 6_000
    assert {one.count for one in frozen if one.pattern == "session:*"} == {3_000}


def test_of_very_many_seconds_the_fullest_are_kept() -> None:
    tally = PatternTally()
    for batch in range(10):
        seconds = [*range(batch * 1_000, batch * 1_000 + 1_000), 77_777, 77_777, 77_777]
        tally.add_moments([second * 1_000 + 999 for second in seconds])
    assert len(tally.peaks) <= 2 * key_tally.PEAKS_KEPT
    peaks = tally.freeze("a", None).ttl_peaks
    assert (len(peaks), peaks[77_777]) == (key_tally.PEAKS, 30)


def test_names_of_keys_without_ttl_are_kept_and_added_up() -> None:
    one, other = PatternTally(), PatternTally()
    for number in range(9):
        one.add_staying(f"lock:{number}")
        other.add_staying(f"lock:{number}")
    other.merge(one.freeze("lock:*", "lock:*"))
    assert other.freeze("lock:*", "lock:*").staying == ("lock:0", "lock:1", "lock:2", "lock:3", "lock:4")
