"""Names of keys: folded into patterns, masked, and written as text that can be read back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.expectations import FAMILIES
from dbvitals.analyse.key_names import bytes_of, text_of
from dbvitals.analyse.key_patterns import Folding
from dbvitals.expect import KeyFamily

FOLDING = Folding(FAMILIES)


@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        (b"session:9f8a7b6c", "session:*"),
        (b"session:", "session:*"),
        (b"SESSION:12", "SESSION:<n>"),
        (b"locksmith", "locksmith"),
        (b"lock", "lock"),
        (b"rate_limit:7:a", "rate_limit:*"),
        (b"hotel012:availability:2026-11-01", "*:availability:*"),
        (b"eu:hotel012:app:lock:7", "*:lock:*"),
        (b"a:b:c:d:session:4", "a:b:c:d:session:<n>"),
        (b"{hotel12}:session:4", "*:session:*"),
        (b"{session:12}", "session:*"),
        (b"session:{12}:cart", "session:*"),
        (b"{user1000}.following", "{user<n>}.following"),
        (b"", "<empty>"),
        (b"*", "\\*"),
        (b":leading", ":leading"),
        (b":session:1", ":session:<n>"),
        (b"order:12345", "order:<n>"),
        (b"order:2026-11-23:7", "order:<n>-<n>-<n>:<n>"),
        (b"cart:550e8400-e29b-41d4-a716-446655440000", "cart:<uuid>"),
        (b"cart:550e8400e29b41d4a716446655440000", "cart:<hex>"),
        (b"cart:01ARZ3NDEKTSV4RRFFQ69G5FAV:x", "cart:<id>:x"),
        (b"cafe:deadbeef", "cafe:deadbeef"),
        (b"mail:guest.one@example.org", "mail:<email>"),
        (b"wa:34600112233@c.us", "wa:<email>"),
        (b"to:ana@example.org,bruno@example.net", "to:<email>"),
        (b"to:Ana <ana.1@example.org>", "to:<email>"),
        (b"to:@example.org", "to:@example.org"),
        (b"wa:+34 600 112 233", "wa:<phone>"),
        (b"bin:\xff\x00:1", "bin:<bytes>:<n>"),
        ("habitación:ñ".encode(), "<bytes>:<bytes>"),
        (b"note:" + b"x" * 41, "note:<long>"),
        (b"x:" * 100, "x:" * 64 + "*"),
        (b"x:" * 57 + b"ana@example.org:1", "x:" * 57 + "*"),
        (b"x" * 129, "*"),
        (b"guest:Ana Maria:room", "guest:<text>:room"),
    ],
)
def test_a_name_is_folded_to_its_pattern_trap_17_18(key: bytes, pattern: str) -> None:
    assert FOLDING.pattern_of(key) == pattern


def test_the_longest_declared_prefix_wins() -> None:
    folding = Folding([KeyFamily(pattern=pattern, description="") for pattern in ("pms:*", "pms:cache:*", "pm*")])
    assert [folding.pattern_of(key) for key in (b"pms:cache:1", b"pms:1", b"pm7")] == ["pms:cache:*", "pms:*", "pm*"]


@given(st.lists(st.from_regex(rb"[0-9a-fA-Z:{} @.+\-\xff]{0,12}", fullmatch=True), max_size=4))
def test_names_that_differ_in_digits_alone_have_one_pattern(parts: list[bytes]) -> None:
    """Where a family has a digit, each name is folded with its own digits."""
    name = b":".join(parts)
    told_apart = Folding([*FAMILIES, KeyFamily(pattern="never-9:*", description="")])
    assert FOLDING.pattern_of(name) == told_apart.pattern_of(name)


def test_a_family_with_a_digit_is_told_from_others() -> None:
    folding = Folding([KeyFamily(pattern="v2:*", description="")])
    assert [folding.pattern_of(key) for key in (b"v3:1", b"v2:1", b"v3:1")] == ["v<n>:<n>", "v2:*", "v<n>:<n>"]


@pytest.mark.parametrize("pattern", ["*", "session", "a*b*", "a[b]*", "a?*", "a\\*"])
def test_a_family_is_a_literal_beginning(pattern: str) -> None:
    with pytest.raises(ValueError, match="no family of keys"):
        KeyFamily(pattern=pattern, description="")


@pytest.mark.parametrize("bounds", [{"tenant_part": -1}, {"ttl_min": 500, "ttl_max": 10}])
def test_a_family_that_contradicts_itself_is_none(bounds: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'a:\\*': "):
        KeyFamily(pattern="a:*", description="", **bounds)


def test_which_expectation_holds_for_a_pattern() -> None:
    assert FOLDING.family_of("session:*") == "session:*"
    assert FOLDING.family_of("*:session:*") == "session:*"
    assert FOLDING.family_of("order:<n>") is None


@pytest.mark.parametrize(
    ("key", "tenant"),
    [(b"session:7:x", b"7"), (b"eu:session:{9}:x", b"9"), (b"{session:8}", b"8"), (b"session:", None)],
)
def test_the_tenant_in_a_name(key: bytes, tenant: bytes | None) -> None:
    assert FOLDING.tenant_of(key, FOLDING.pattern_of(key)) == tenant


@pytest.mark.parametrize(
    "key",
    [
        b"availability:pms:gran-hotel:2026-11-23:2026-11-25:2",
        b"lock:refresh:availability:pms:gran-hotel:2026-11-23:2026-11-25:2",
        b"rate_limit:message/8d5e957f297893487bd98fa830fa6413/5/60/second",
        b"circuit_breaker:pms",
        b"tenant:8d5e957f297893487bd98fa830fa6413",
        b"pms_cache:rates:pms:gran-hotel:2026-11-23:2026-11-25",
    ],
)
def test_nothing_else_that_the_service_writes_is_taken_for_a_tenant(key: bytes) -> None:
    assert FOLDING.tenant_of(key, FOLDING.pattern_of(key)) is None


@pytest.mark.parametrize(
    ("key", "masked"),
    [
        (b"session:9f8a7b6c5d4e3f2a", b"session:9f8a..."),
        (b"availability:7:2026-11-23", b"availability:7:2026-11-23"),
        (b"phone:34600112233", b"phone:<n>"),
        (b"mail:guest@example.org", b"mail:<email>"),
        (b"wa:+34 600 112 233", b"wa:<phone>"),
        (b"to:ana@example.org,bruno@example.net", b"to:<email>"),
        (b"tel600112233:600-112-233", b"tel6...:600-..."),
        (b"room101:v1.20.3", b"room101:v1.20.3"),
        (b"guest:Juan Perez", b"guest:<text>"),
        (b"bin:\xff", b"bin:<bytes>"),
        (b"cart:0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f9f3a", b"cart:...9f3a"),
        (b"mail:a@b1234567890", b"mail:a..."),
        (b"guest:PAA123464", b"guest:PAA1..."),
        (b"otp:493811", b"otp:<n>"),
        (b"rate:85.55.1.4", b"rate:85.5..."),
        (b"room:1012", b"room:1012"),
    ],
)
def test_a_name_is_masked(key: bytes, masked: bytes) -> None:
    assert FOLDING.masked(key) == masked


@given(st.one_of(st.binary(max_size=16), st.text("a1F@.+ :-<>{}\\", max_size=16).map(str.encode)))
def test_what_is_masked_stays_as_it_is(key: bytes) -> None:
    assert FOLDING.masked(FOLDING.masked(key)) == FOLDING.masked(key)


@given(st.binary(max_size=200))
def test_any_name_folds_to_printable_ascii_and_masks_to_it(key: bytes) -> None:
    assert FOLDING.pattern_of(key).isprintable()
    assert FOLDING.pattern_of(key).isascii()
    assert len(FOLDING.pattern_of(key)) < 1_000
    assert text_of(FOLDING.masked(key)).isprintable()


@given(st.binary(max_size=60))
def test_text_of_a_name_can_be_read_back_and_printed_trap_16(key: bytes) -> None:
    assert bytes_of(text_of(key)) == key
    assert text_of(key).isprintable()


def test_text_shows_what_can_be_read() -> None:
    assert text_of("ñ 😀".encode()) == "ñ 😀"
    assert text_of(b"a\\b\n\xff\x1b[31m") == "a\\\\b\\x0a\\xff\\x1b[31m"
