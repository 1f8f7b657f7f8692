"""Which answers count, by what they have seen; and how long they are kept."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.db.identifiers import Found
from app.services.tenant_cache import ENTRIES, SECONDS, UNKNOWN_SECONDS, Freshness, TenantCache

KEY, OTHER = b"1" * 32, b"2" * 32
TENANT = UUID(int=7)


@pytest.fixture
def live() -> Freshness:
    freshness = Freshness()
    freshness.connected(100)
    return freshness


def test_no_answer_counts_before_changes_are_heard() -> None:
    assert not Freshness().accepts(KEY, 10**12)


def test_an_answer_from_before_the_listening_does_not_count(live: Freshness) -> None:
    assert not live.accepts(KEY, 99)
    assert live.accepts(KEY, 100)


def test_an_answer_that_has_not_seen_the_change_does_not_count(live: Freshness) -> None:
    live.changed(KEY, 120)
    assert not live.accepts(KEY, 120)
    assert live.accepts(KEY, 121)
    assert live.accepts(OTHER, 100)


def test_changes_may_be_told_in_any_order(live: Freshness) -> None:
    live.changed(KEY, 120)
    live.changed(KEY, 110)
    assert not live.accepts(KEY, 115)


def test_a_change_that_is_told_while_connecting_is_not_lost() -> None:
    freshness = Freshness()
    freshness.changed(KEY, 105)
    freshness.connected(100)
    assert not freshness.accepts(KEY, 105)


def test_no_answer_counts_after_the_connection_is_lost(live: Freshness) -> None:
    live.disconnected()
    assert not live.accepts(KEY, 10**12)
    live.connected(200)
    assert not live.accepts(KEY, 199)
    assert live.accepts(KEY, 200)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(100, 200)), max_size=60), st.integers(100, 200))
def test_no_answer_older_than_a_change_counts_however_many_there_are(changes: list[tuple[int, int]], seen: int) -> None:
    freshness = Freshness(entries=5)
    freshness.connected(100)
    for number, transaction in changes:
        freshness.changed(bytes([number]), transaction)
    for number, transaction in changes:
        assert not (freshness.accepts(bytes([number]), seen) and seen <= transaction)


def test_known_answers_are_kept_longer_than_unknown_ones() -> None:
    now = 0.0
    cache = TenantCache(lambda: now)
    cache.put(KEY, Found(TENANT, 1))
    cache.put(OTHER, Found(None, 1))
    now = UNKNOWN_SECONDS - 0.1
    assert cache.get(OTHER) == Found(None, 1)
    now = UNKNOWN_SECONDS + 0.1
    assert (cache.get(OTHER), cache.get(KEY)) == (None, Found(TENANT, 1))
    now = SECONDS + 0.1
    assert cache.get(KEY) is None


def test_a_new_answer_takes_the_place_of_the_old_one() -> None:
    cache = TenantCache()
    cache.put(KEY, Found(TENANT, 1))
    cache.put(KEY, Found(None, 2))
    assert cache.get(KEY) == Found(None, 2)
    cache.put(KEY, Found(TENANT, 3))
    assert cache.get(KEY) == Found(TENANT, 3)
    cache.drop(KEY)
    assert cache.get(KEY) is None


def test_trying_out_identifiers_pushes_no_known_one_out() -> None:
    cache = TenantCache()
    cache.put(KEY, Found(TENANT, 1))
    for number in range(ENTRIES + 10):
        cache.put(number.to_bytes(32, "big"), Found(None, 1))
    assert cache.get(KEY) == Found(TENANT, 1)
