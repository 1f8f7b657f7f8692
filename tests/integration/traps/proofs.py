"""Tries a proof on a server: each one asserts what holds with the index, and that it does not hold without."""

from tests.integration.traps import case as kinds
from tests.integration.traps.case import Need, RedundancyCase, Replacement
from tests.integration.traps.plans import access, pages_touched, rows_expected, tables_read
from tests.integration.traps.workbench import (
    Connection,
    ability,
    isolate,
    outcome,
    plan_with,
    remove,
    result,
    root,
    trial,
)


def prove_replacement(connection: Connection, trap: RedundancyCase, proof: Replacement) -> None:
    """Show that the kept index does what the dropped one did."""
    kept = next(pair.kept for pair in trap.redundant if pair.dropped == proof.dropped)
    match proof:
        case kinds.Serves(dropped, query):
            _serves(connection, dropped, kept, query)
        case kinds.StillRefuses(dropped, statement, sqlstate):
            _outcomes(connection, dropped, kept, statement, expected=sqlstate, bare=None)
        case kinds.StillAllows(dropped, statement, sqlstate):
            _outcomes(connection, dropped, kept, statement, expected=None, bare=sqlstate)


def prove_need(connection: Connection, proof: Need) -> None:
    """Show that something is lost without the index."""
    match proof:
        case kinds.Needs(index, query):
            _needs(connection, index, query)
        case kinds.Cheaper(index, query, factor):
            _cheaper(connection, index, query, factor)
        case kinds.Smaller(index, than, factor):
            assert size(connection, than) >= factor * size(connection, index)
        case kinds.Refuses(index, statement, sqlstate):
            _changes(connection, index, statement, sqlstate, None)
        case kinds.Allows(index, statement, sqlstate):
            _changes(connection, index, statement, None, sqlstate)
        case kinds.Pinned(index):
            assert outcome(connection, f'DROP INDEX "{index}"') == kinds.DEPENDENT_OBJECTS
        case kinds.Broken(index):
            assert not valid(connection, index)
        case kinds.Estimates(index, query):
            _estimates(connection, index, query)
        case kinds.RemovesJoin(index, query):
            with trial(connection):
                before = tables_read(connection, query)
                remove(connection, [index])
                assert tables_read(connection, query) == before + 1


def size(connection: Connection, index: str) -> int:
    """Bytes of an index."""
    row = connection.execute("SELECT pg_relation_size(quote_ident(%s)::regclass)", [index]).fetchone()
    assert row is not None
    return int(row[0])


def valid(connection: Connection, index: str) -> bool:
    """Whether queries may use an index."""
    query = "SELECT indisvalid AND indisready FROM pg_index WHERE indexrelid = quote_ident(%s)::regclass"
    row = connection.execute(query, [index]).fetchone()
    assert row is not None
    return bool(row[0])


def _serves(connection: Connection, dropped: str, kept: str, query: str) -> None:
    rows = result(connection, query)
    with trial(connection):
        isolate(connection, dropped)
        before = ability(connection, query, dropped)
        assert dropped in before.indexes, f"the dropped index never served this: {before}"
        assert result(connection, query) == rows
    with trial(connection):
        isolate(connection, kept)
        after = ability(connection, query, kept)
        assert kept in after.indexes, f"the kept index does not serve this: {after}"
        assert after.at_least_as_good_as(before), f"{after} is worse than {before}"
        assert result(connection, query) == rows
        remove(connection, [kept])
        bare = plan_with(connection, query, bitmaps=True)
        assert not bare.at_least_as_good_as(before), "the query asks nothing of an index"
    with trial(connection):
        remove(connection, [dropped])
        assert ability(connection, query, kept).at_least_as_good_as(before)
        assert result(connection, query) == rows


def _outcomes(
    connection: Connection, dropped: str, kept: str, statement: str, *, expected: str | None, bare: str | None
) -> None:
    assert outcome(connection, statement) == expected
    with trial(connection):
        isolate(connection, dropped)
        assert outcome(connection, statement) == expected, "the dropped index had no part in it"
    with trial(connection):
        isolate(connection, kept)
        assert outcome(connection, statement) == expected, "the kept index has no part in it"
        remove(connection, [kept])
        assert outcome(connection, statement) == bare, "no index has a part in it"


def _needs(connection: Connection, index: str, query: str) -> None:
    rows = result(connection, query)
    with trial(connection):
        before = ability(connection, query, index)
        assert {index, root(connection, index)} & before.indexes, f"the index is not used: {before}"
        assert result(connection, query) == rows
        remove(connection, [index])
        after = plan_with(connection, query, bitmaps=True)
        assert not after.at_least_as_good_as(before), f"nothing is lost: {after} after {before}"


def _cheaper(connection: Connection, index: str, query: str, factor: float) -> None:
    with trial(connection):
        isolate(connection, index)
        connection.execute("SET LOCAL enable_seqscan = off")
        assert index in access(connection, query).indexes, "the index does not serve this"
        alone = pages_touched(connection, query)
    with trial(connection):
        remove(connection, [index])
        connection.execute("SET LOCAL enable_seqscan = off")
        without = pages_touched(connection, query)
    assert without >= factor * alone, f"{alone} pages with the index, {without} without"


def _estimates(connection: Connection, index: str, query: str) -> None:
    rows = len(connection.execute(query).fetchall())
    with trial(connection):
        assert rows / 2 <= rows_expected(connection, query) <= rows * 2
        remove(connection, [index])
        wrong = rows_expected(connection, query)
        assert wrong * 5 <= rows or wrong >= rows * 5, f"{wrong} expected, {rows} there"


def _changes(connection: Connection, index: str, statement: str, before: str | None, after: str | None) -> None:
    assert outcome(connection, statement) == before
    with trial(connection):
        remove(connection, [index])
        assert outcome(connection, statement) == after
