"""What is kept of a conversation: counted, bounded, and the same message known again."""

from datetime import date

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from app.db.guest_sessions import REMEMBERED, AskedStay, Context

STAY = AskedStay(arrival=date(2026, 12, 24), departure=date(2026, 12, 26), guests=2)
LARGEST = 1024


def test_a_message_counts_and_keeps_the_stay_that_was_asked_for_last() -> None:
    first = Context().after("a", STAY)
    assert first == Context(messages=1, stay=STAY, recent=("a",))
    assert first.after("b", None) == Context(messages=2, stay=STAY, recent=("a", "b"))
    assert first.after(None, None) == Context(messages=2, stay=STAY, recent=("a",))


def test_a_message_that_comes_again_changes_nothing() -> None:
    first = Context().after("a", None)
    assert first is not None
    assert first.after("a", STAY) is None


@given(st.lists(st.text("0123456789abcdef", min_size=16, max_size=16), max_size=60))
def test_however_long_it_goes_on_it_stays_small_and_counts_each_message_once(messages: list[str]) -> None:
    context, counted = Context(), 0
    for message in messages:
        again = message in context.recent
        after = context.after(message, STAY)
        assert (after is None) == again
        context, counted = after or context, counted + (not again)
    assert context.messages == counted
    assert len(context.recent) <= REMEMBERED
    assert len(msgspec.json.encode(context)) < LARGEST


def test_a_context_is_read_as_it_was_written() -> None:
    context = Context().after("a", STAY)
    assert msgspec.json.decode(msgspec.json.encode(context), type=Context) == context
