"""A longer TTL, from the times between expiry and the next look."""

import pytest

from dbvitals.analyse.key_tally import bucket_of
from dbvitals.analyse.ttl_suggestion import suggest_ttl
from dbvitals.snapshot_misses import MissesAfterExpiry


def missed(*seconds: float) -> MissesAfterExpiry:
    buckets: dict[int, int] = {}
    for one in seconds:
        bucket = bucket_of(round(one * 1000))
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return MissesAfterExpiry(pattern="availability:*", misses=len(seconds), buckets=buckets)


def test_most_looks_come_soon_after_the_expiry() -> None:
    suggestion = suggest_ttl(missed(*[20.0] * 85, *[4000.0] * 15), 60)
    assert suggestion is not None
    assert (suggestion.ttl_seconds, suggestion.misses) == (120, 100)
    assert suggestion.caught == pytest.approx(0.85)


def test_the_share_caught_is_what_the_suggested_ttl_would_catch() -> None:
    suggestion = suggest_ttl(missed(*(float(second) for second in range(1, 101))), 300)
    assert suggestion is not None
    assert suggestion.ttl_seconds == 600
    assert suggestion.caught == 1.0


@pytest.mark.parametrize(
    "seen",
    [missed(), missed(*[5.0] * 29), missed(*[100_000.0] * 100)],
    ids=["nothing", "a few", "long after"],
)
def test_nothing_is_suggested_on_too_little_or_out_of_reach(seen: MissesAfterExpiry) -> None:
    assert suggest_ttl(seen, 60) is None


def test_keys_without_ttl_need_none() -> None:
    assert suggest_ttl(missed(*[5.0] * 50), 0) is None
