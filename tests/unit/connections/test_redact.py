"""No literal of a query survives: guests' names, phone numbers and addresses are literals."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast import parser

from dbvitals.analyse.redact import without_literals

LITERALS = {"SCONST", "ICONST", "FCONST", "BCONST", "XCONST", "USCONST"}


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("SELECT * FROM guests WHERE phone = '+34 600 123'", "SELECT * FROM guests WHERE phone = $1"),
        ("select 'it''s', 2", "select $1, $2"),
        (r"select E'a\'b', x'1F', B'01', N'n', U&'\0041'", "select $1, $2, $3, $4, $5"),
        ("select $$guest@example.com$$, $q$a $$ b$q$", "select $1, $2"),
        ("select * from t where a = $1 and b = 5", "select * from t where a = $1 and b = $2"),
        ("select $2, 'x'", "select $2, $3"),
        ('select "quoted ""name""", t1.c2 from t1', 'select "quoted ""name""", t1.c2 from t1'),
        ("select 1 -- guest@example.com\n, 2 /* +34 /* nested */ 600 */ , 3", "select $1 , $2 , $3"),
        ("select 0x1F, 1_000, 1.5e-3, .5, 5.", "select $1, $2, $3, $4, $5"),
        ("select 'a'\n  'b'", "select $1 $2"),
        ("", ""),
    ],
)
def test_literals_become_parameters(query: str, shown: str) -> None:
    assert without_literals(query) == shown


@pytest.mark.parametrize(
    "query",
    [
        "select 'guest@exam",
        "select E'guest@exam\\",
        "select $$guest@exam",
        "select /* guest@exam",
        r"select 'a\', 'guest@exam', 'b'",
        "select $a$ x $b$ guest@exam",
    ],
)
def test_trap_53_where_the_end_of_a_literal_is_not_sure_the_rest_is_left_out(query: str) -> None:
    shown = without_literals(query)
    assert "guest" not in shown
    assert shown.endswith("…")


PIECES = st.sampled_from(
    ["select", " ", ", ", "(", ")", "=", "a1", '"n 1"', "'x secret'", "'it''s secret'", "E'\\' secret'", "42", "4.2e1",
     "$1", "$$secret$$", "$t$secret$t$", "/* secret */", "-- secret\n", "::text", "U&'secret'", "x'1F'", "\n", "-"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25).map(" ".join), st.integers(0, 200))
def test_nothing_of_a_literal_shows_wherever_the_text_is_cut(query: str, size: int) -> None:
    assert "secret" not in without_literals(query)
    assert not re.search(r"secre", without_literals(query[:size]))


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=25).map(" ".join))
def test_postgresqls_own_scanner_finds_no_literal_in_what_is_shown(query: str) -> None:
    assert {token.name for token in parser.scan(without_literals(query))} & LITERALS == set()
