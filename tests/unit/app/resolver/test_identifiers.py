"""One form for every identifier, whatever way it is typed."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.identifiers import InvalidIdentifier, fingerprint, normalise
from app.db.tables import PLATFORMS

SAME = [
    ("phone", "+34 600 000 001", "+34600000001"),
    ("phone", " (+34) 600-000.001 ", "+34600000001"),
    ("phone", "0034 600 000 001", "+34600000001"),
    ("phone", "tel:+34-600-000-001", "+34600000001"),
    ("phone", "＋３４ ６００ ０００ ００１", "+34600000001"),
    ("sms", "+1 (212) 555-0123", "+12125550123"),
    ("whatsapp", "34600000001", "+34600000001"),
    ("whatsapp", "whatsapp:+34600000001", "+34600000001"),
    ("email", " Ana.Garcia@Example.COM ", "ana.garcia@example.com"),
    ("email", "o'neil\"@example.com", "o'neil\"@example.com"),
    ("telegram", "@AnaGarcia", "anagarcia"),
    ("instagram", "STRASSE", "strasse"),
    ("instagram", "Straße", "strasse"),
    ("messenger", "ﬁlip", "filip"),
    ("webchat", "🏨<script>,", "🏨<script>,"),
]
REFUSED = [
    ("phone", "600 000 001"),
    ("phone", ""),
    ("phone", "+0034600000001"),
    ("phone", "+34 600"),
    ("phone", "+1234567890123456"),
    ("phone", "+34600000001;ext=2"),
    ("whatsapp", "0"),
    ("email", "ana"),
    ("email", "@example.com"),
    ("email", "ana@"),
    ("email", "ana garcia@example.com"),
    ("email", "a" * 320 + "@example.com"),
    ("telegram", "   "),
    ("telegram", "@"),
    ("telegram", "ana\0"),
    ("telegram", "ana\nb"),
    ("telegram", "\ud800"),
    ("telegram", "a" * 321),
]


@pytest.mark.parametrize(("platform", "typed", "normal"), SAME)
def test_what_is_typed_has_one_form(platform: str, typed: str, normal: str) -> None:
    assert normalise(typed, platform) == normal


@pytest.mark.parametrize(("platform", "typed"), REFUSED)
def test_what_has_no_form_is_refused_and_not_repeated(platform: str, typed: str) -> None:
    with pytest.raises(InvalidIdentifier) as caught:
        normalise(typed, platform)
    assert len(typed) < 4 or typed not in str(caught.value)


@given(st.text(max_size=40), st.sampled_from(PLATFORMS))
def test_the_one_form_stays_as_it_is_and_can_be_stored(typed: str, platform: str) -> None:
    try:
        normal = normalise(typed, platform)
    except InvalidIdentifier:
        return
    assert normalise(normal, platform) == normal
    assert 1 <= len(normal) <= 320
    assert "\0" not in normal
    normal.encode()


def test_fingerprints_of_two_platforms_differ() -> None:
    assert fingerprint("+34600000001", "phone") != fingerprint("+34600000001", "sms")
    assert fingerprint("ana", "webchat") == hashlib.sha256(b"webchat:ana").digest()
