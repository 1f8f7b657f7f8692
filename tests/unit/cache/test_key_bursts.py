"""Keys that expire together are seen wherever the edges of the histogram's buckets lie."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbvitals.analyse.key_tally import bucket_edge, bucket_of
from dbvitals.analyse.keyspace_bursts import Burst, densest, fullest

EDGE = 245_760
"""Where one bucket of 8,192 ms ends and another begins."""


def histogram(*ttls_ms: int) -> Counter[int]:
    return Counter(map(bucket_of, ttls_ms))


@given(st.integers(1, 2**53))
def test_a_time_to_live_lies_between_its_buckets_edges(ttl_ms: int) -> None:
    assert bucket_edge(bucket_of(ttl_ms)) <= ttl_ms < bucket_edge(bucket_of(ttl_ms) + 1)


@pytest.mark.parametrize("buckets", [{}, {0: 5}])
def test_where_no_key_expires_none_do_so_together(buckets: dict[int, int]) -> None:
    assert densest(buckets) is None


def test_what_lies_in_one_bucket_is_said_of_that_bucket() -> None:
    burst = densest(histogram(*[EDGE + 4_000] * 800, 1_000_000))
    assert burst is not None
    assert (burst.keys, burst.begin, burst.end) == (800, EDGE / 1000, (EDGE + 8_192) / 1000)
    assert burst.rate == pytest.approx(800 / 8.192)


def test_what_lies_across_an_edge_is_said_of_both_buckets() -> None:
    burst = densest(histogram(*[EDGE - 1] * 500, *[EDGE] * 300, 1_000_000))
    assert burst is not None
    assert (burst.keys, burst.begin, burst.end) == (800, (EDGE - 8_192) / 1000, (EDGE + 8_192) / 1000)
    assert burst.rate == pytest.approx(800 / 8.192)
    assert [burst.span, burst.middle] == pytest.approx([16.384, EDGE / 1000])


@pytest.mark.parametrize("edge_ms", [64, 5_120])
def test_nothing_is_more_together_than_in_one_second(edge_ms: int) -> None:
    burst = densest(histogram(*[edge_ms - 1] * 100, *[edge_ms] * 100))
    assert burst is not None
    assert (burst.keys, burst.span, burst.rate) == (200, 1.0, 200.0)


@given(st.integers(1, 2**40), st.floats(0, 1))
def test_a_burst_no_longer_than_a_bucket_counts_in_full_wherever_it_lies(first_ms: int, part: float) -> None:
    bucket = bucket_of(first_ms)
    length = int(part * (bucket_edge(bucket + 1) - bucket_edge(bucket)))
    ttls = [first_ms + length * number // 300 for number in range(300)]
    burst = densest(histogram(*ttls))
    last = bucket_of(ttls[-1])
    assert burst is not None
    assert burst.rate >= 0.999 * 300 / max(1.0, (bucket_edge(last + 1) - bucket_edge(last)) / 1000)


@settings(deadline=None)
@given(st.integers(5, 50), st.integers(0, 30_000), st.integers(60_000, 120_000))
def test_an_even_spread_is_nowhere_denser_than_it_is(every_ms: int, first_ms: int, length_ms: int) -> None:
    burst = densest(histogram(*range(first_ms + 1, first_ms + length_ms, every_ms)))
    assert burst is not None
    assert burst.rate <= 1000 / every_ms + 5


def test_the_fullest_second_is_found_also_where_its_keys_are_seen_on_either_side_of_it() -> None:
    assert fullest({}, 1_000.0) is None
    assert fullest({990: 500}, 1_000.0) is None  # over
    assert fullest({1_100: 40, 1_200: 400, 1_201: 20}, 1_000.5) == Burst(keys=400, begin=199.5, end=200.5, rate=400.0)
    assert fullest({1_200: 250, 1_201: 250, 1_900: 300}, 1_000.0) == Burst(keys=300, begin=900.0, end=901.0, rate=300)
    assert fullest({1_200: 250, 1_201: 250}, 1_000.0) == Burst(keys=500, begin=200.0, end=202.0, rate=250.0)
    assert fullest({1_000: 9}, 1_000.5) == Burst(keys=9, begin=0.0, end=0.5, rate=9.0)
