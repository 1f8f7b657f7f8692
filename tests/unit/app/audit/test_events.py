"""Events before they are stored: sensitive values masked, what cannot be stored refused or replaced."""

import json
from datetime import datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Invalid
from app.services.security.events import LARGEST_DETAILS, MASK, SENSITIVE, AuditEvent, is_sensitive

TENANT = UUID(int=1)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def details_of(**details: object) -> dict[str, object]:
    stored = json.loads(AuditEvent(tenant_id=TENANT, event_type="login", details=details).to_row().details)
    assert isinstance(stored, dict)
    return stored


@pytest.mark.parametrize("word", SENSITIVE)
def test_values_under_sensitive_names_are_masked_at_any_depth(word: str) -> None:
    deep = {"guests": [{f"New-{word.upper()}": "hunter2", "name": "Ana"}], word: {"inner": "hunter2"}}
    stored = details_of(**deep)
    assert "hunter2" not in json.dumps(stored)
    assert stored == {"guests": [{f"New-{word.upper()}": MASK, "name": "Ana"}], word: MASK}


def test_separators_and_case_do_not_hide_a_name() -> None:
    assert all(map(is_sensitive, ("API-Key", "api_key", "apiKey", "X-Api-Key", "card.number", "Set-Cookie")))
    assert not any(map(is_sensitive, ("user", "room", "reason", "")))


@given(JSON_VALUES)
def test_every_json_value_can_be_stored(value: object) -> None:
    row = AuditEvent(tenant_id=TENANT, event_type="login", details={"value": value}).to_row()
    assert "\x00" not in row.details
    assert "\\u0000" not in row.details
    row.details.encode()


def test_characters_that_postgresql_has_not_are_replaced() -> None:
    assert details_of(**{"a\x00": "b\ud800c"}) == {"a\ufffd": "b\ufffdc"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"bytes", {1, 2}])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(Invalid, match="JSON"):
        details_of(value=value)


def test_too_much_and_too_deep_are_refused() -> None:
    with pytest.raises(Invalid, match="bytes"):
        details_of(text="x" * LARGEST_DETAILS)
    deep: object = "bottom"
    for _ in range(1000):
        deep = [deep]
    with pytest.raises(Invalid, match="deep"):
        details_of(deep=deep)


@pytest.mark.parametrize(
    "wrong",
    [
        {"event_type": ""},
        {"event_type": "x" * 101},
        {"event_type": "row.update"},
        {"severity": "fatal"},
        {"resource": "x" * 501},
        {"request_id": ""},
        {"timestamp": datetime(2026, 11, 20)},  # noqa: DTZ001  # that is the mistake
    ],
)
def test_events_that_cannot_be_stored_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        AuditEvent(**{"tenant_id": TENANT, "event_type": "login", **wrong})  # type: ignore[arg-type]
