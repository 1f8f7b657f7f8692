"""Names of keys: in the guide's families, without anything that a guest is known by."""

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.core.redis import Family, Keys

KEYS = Keys(SecretStr("a secret"))
TENANT = UUID(int=7)

texts = st.lists(st.text(), min_size=1, max_size=3)


def test_the_families_are_the_guide_s_seven_patterns() -> None:
    assert {family.pattern for family in Family} == {
        "availability:*",
        "session:*",
        "lock:*",
        "rate_limit:*",
        "circuit_breaker:*",
        "tenant:*",
        "pms_cache:*",
    }


def test_a_key_is_its_family_its_plain_parts_and_a_hash() -> None:
    key = KEYS.make(Family.TENANT, TENANT, date(2026, 11, 23), 2, "whatsapp", private=("+442079460000",))
    family, tenant, day, number, name, digest = key.split(":")
    assert (family, tenant, day, number, name) == ("tenant", str(TENANT), "2026-11-23", "2", "whatsapp")
    assert len(digest) == 32
    assert "2079460" not in key


@pytest.mark.parametrize("text", ["", "+442079460000", "a@example.com", "UPPER", "a:b", "a*", "a b", "ñ", "x" * 65])
def test_what_is_no_plain_name_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="private") as caught:
        KEYS.make(Family.TENANT, text)
    assert not text or text not in str(caught.value)


@given(texts, texts)
def test_private_texts_give_the_same_hash_only_when_they_are_the_same(one: list[str], other: list[str]) -> None:
    assert (KEYS.digest(*one) == KEYS.digest(*other)) is (one == other)


def test_where_one_text_ends_and_the_next_begins_matters() -> None:
    assert KEYS.digest("a", "bc") != KEYS.digest("ab", "c")


def test_another_secret_gives_other_hashes() -> None:
    assert KEYS.digest("+442079460000") != Keys(SecretStr("another")).digest("+442079460000")


def test_a_lone_surrogate_has_a_hash() -> None:
    assert KEYS.digest("\ud800") != KEYS.digest("\ud801")
