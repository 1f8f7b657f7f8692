"""SQL that a person will run: quoting, names, comments, scripts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvitals.analyse.indexes import analyse_indexes
from dbvitals.analyse.sql_script import render_script
from dbvitals.analyse.sql_text import comment, free_name, key_text, quote_ident
from dbvitals.analyse.thresholds import IndexThresholds
from tests.unit.analyse.builders import index, key, snapshot, table


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("plain_1", "plain_1"),
        ("Upper", '"Upper"'),
        ("order", '"order"'),
        ("timestamp", '"timestamp"'),
        ('qu"ote', '"qu""ote"'),
        ("1st", '"1st"'),
        ("ñandú", '"ñandú"'),
        ("a\nb", '"a\nb"'),
    ],
)
def test_names_are_quoted_when_they_must_be(name: str, quoted: str) -> None:
    assert quote_ident(name) == quoted


@given(st.text(min_size=1))
def test_a_comment_stays_on_its_line(text: str) -> None:
    assert len(comment(text).splitlines()) == 1


@given(st.text(min_size=1, max_size=40), st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=4))
def test_a_free_name_fits_and_is_free(table_name: str, columns: list[str]) -> None:
    taken: set[tuple[str, str]] = set()
    for _ in range(3):
        name = free_name("public", table_name, columns, taken)
        assert len(name.encode()) <= 63
        assert ("public", name) not in taken
        taken.add(("public", name))


def test_two_long_names_with_the_same_beginning_differ() -> None:
    long = "x" * 70
    assert free_name("s", long, ("a",), ()) != free_name("s", long, ("b",), ())


def test_a_key_shows_only_what_is_not_the_default() -> None:
    assert key_text(key("a")) == "a"
    assert key_text(key("a", descending=True, nulls_first=True)) == "a DESC"
    assert key_text(key("a", descending=True)) == "a DESC NULLS LAST"
    assert key_text(key("a", nulls_first=True)) == "a NULLS FIRST"
    changed = key("a", collation='"C"', collation_default=False, opclass="text_pattern_ops", opclass_default=False)
    assert key_text(changed) == 'a COLLATE "C" text_pattern_ops'


def test_a_script_treats_an_index_once_and_never_lets_a_name_out_of_a_comment() -> None:
    t = table("t")
    evil = index(t, "evil\n; DROP TABLE t; --", "a", size_bytes=900_000)
    twin = index(t, "twin", "a")
    report = analyse_indexes(
        snapshot(t, evil, twin),
        expected=None,
        thresholds=IndexThresholds(),
        duration_seconds=0.0,
        tool_version="test",
    )
    script = render_script(report)
    assert script.count('DROP INDEX CONCURRENTLY public."evil\n; DROP TABLE t; --";') == 1
    without_names = script.replace('"evil\n; DROP TABLE t; --"', "")
    assert re.findall(r"^; DROP TABLE", without_names, flags=re.MULTILINE) == []
