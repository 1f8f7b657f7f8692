"""Expressions as a person writes them against the same as a server prints them."""

import pytest

from dbvitals.collect.parse_tree import expression, parse_script, same

ALIKE = (
    ("state IN ('a', 'b')", "(state = ANY (ARRAY['a'::text, 'b'::text]))"),
    ("state IN ('a', 'b')", "((state)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))"),
    ("state NOT IN ('a', 'b')", "(state <> ALL (ARRAY['a'::text, 'b'::text]))"),
    ("state IN ('a')", "(state = 'a'::text)"),
    ("t.state = 'a'", "(state = 'a'::text)"),
    ("n BETWEEN 1 AND 2", "((n >= 1) AND (n <= 2))"),
    ("n NOT BETWEEN 1 AND 2", "((n < 1) OR (n > 2))"),
    ("n > -1", "(n > '-1'::integer)"),
    ("a AND (b AND c)", "(a AND b AND c)"),
    ("name LIKE 'a%'", "(name ~~ 'a%'::text)"),
    ("name SIMILAR TO 'a%'", "(name ~ similar_to_escape('a%'::text))"),
    ("lower(name)", "public.lower((name)::text)"),
    ("n OPERATOR(pg_catalog.+) 1", "(n + 1)"),
    ("CASE WHEN a THEN 1 END", "CASE WHEN a THEN 1 ELSE NULL::integer END"),
    ("at > '2026-1-1'", "(at > '2026-01-01 00:00:00+00'::timestamp with time zone)"),
    ("(a, b) < (1, 2)", "(ROW(a, b) < ROW(1, (2)::bigint))"),
    ("coalesce(n, 0) IS NOT NULL", "(COALESCE(n, 0) IS NOT NULL)"),
    ("x::int4", "(x)::integer"),
    ("flag = true", "(flag = true)"),
)

UNLIKE = (
    ("state = 'a'", "(state = 'b'::text)"),
    ("state IN ('a', 'b')", "(state = ANY (ARRAY['a'::text, 'c'::text]))"),
    ("state IN ('a', 'b')", "(state <> ALL (ARRAY['a'::text, 'b'::text]))"),
    ("n BETWEEN 1 AND 2", "((n >= 1) AND (n <= 3))"),
    ("n > 1", "(n > '-1'::integer)"),
    ("a AND b", "(a OR b)"),
    ("NOT (a AND b)", "(a AND b)"),
    ("deleted_at IS NULL", "(deleted_at IS NOT NULL)"),
    ("lower(name)", "upper(name)"),
    ("lower(name)", "lower(title)"),
    ('name COLLATE "C"', '(name COLLATE "POSIX")'),
    ("x::integer", "(x)::bigint"),
    ("state = 'a'", "(at = '2026-01-01'::date AND n = 1)"),
    ("a IS NULL", "a"),
    ("f(VARIADIC a)", "f(a)"),
)


@pytest.mark.parametrize(("declared", "server"), ALIKE)
def test_the_same_written_in_two_ways(declared: str, server: str) -> None:
    assert same(expression(declared), expression(server))


@pytest.mark.parametrize(("declared", "server"), UNLIKE)
def test_two_meanings_are_told_apart(declared: str, server: str) -> None:
    assert not same(expression(declared), expression(server))


def test_what_is_no_expression_has_no_node() -> None:
    assert expression("1 +") is None
    assert expression("1; DROP TABLE t") is None


def test_a_script_is_read_past_what_is_not_understood() -> None:
    understood, rest = parse_script("CREATE TABLE a (x int); CREATE NONSENSE 'b;c'; CREATE INDEX ON a (x);")
    assert [type(statement).__name__ for statement in understood] == ["CreateStmt", "IndexStmt"]
    assert rest == ["CREATE NONSENSE 'b;c'"]


def test_unreadable_text_is_not_an_error() -> None:
    assert parse_script("CREATE TABLE 'never ends") == ([], ["CREATE TABLE 'never ends"])
