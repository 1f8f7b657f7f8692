"""The proofs themselves: a false claim about a server does not pass."""

from collections.abc import Callable

import psycopg
import pytest

from tests.integration.traps import case as kinds
from tests.integration.traps.case import Need, Pair, RedundancyCase, Replacement
from tests.integration.traps.cases_btree import T
from tests.integration.traps.cases_unique import SAME_ID, UPSERT_ID, U
from tests.integration.traps.proofs import prove_need, prove_replacement
from tests.integration.traps.workbench import Connection, enter, lay

FALSE_REPLACEMENTS: dict[str, tuple[tuple[str, ...], Replacement]] = {
    "other direction": (
        (*T, "CREATE INDEX gone ON t (a, b DESC)", "CREATE INDEX kept ON t (a, b)"),
        kinds.Serves("gone", "SELECT a, b FROM t ORDER BY a, b DESC"),
    ),
    "second column": (
        (*T, "CREATE INDEX gone ON t (a, b)", "CREATE INDEX kept ON t (a)"),
        kinds.Serves("gone", "SELECT s FROM t WHERE a = 7 AND b = 5"),
    ),
    "no longer index-only": (
        (*T, "CREATE INDEX gone ON t (a) INCLUDE (c)", "CREATE INDEX kept ON t (a)"),
        kinds.Serves("gone", "SELECT a, c FROM t WHERE a = 7"),
    ),
    "no index asked for": (
        (*T, "CREATE INDEX gone ON t (a)", "CREATE INDEX kept ON t (a)"),
        kinds.Serves("gone", "SELECT s FROM t"),
    ),
    "not unique": (
        (*U, "CREATE UNIQUE INDEX gone ON t (id)", "CREATE INDEX kept ON t (id)"),
        kinds.StillRefuses("gone", SAME_ID),
    ),
    "unique by something else": (
        (*U, "CREATE INDEX gone ON t (id)", "CREATE UNIQUE INDEX kept ON t (id)"),
        kinds.StillRefuses("gone", SAME_ID),
    ),
    "no arbiter": (
        (*U, "CREATE UNIQUE INDEX gone ON t (id)", "CREATE INDEX kept ON t (id)"),
        kinds.StillAllows("gone", UPSERT_ID),
    ),
}
TWINS = ("CREATE INDEX one ON t (a)", "CREATE INDEX two ON t (a)")
FALSE_NEEDS: dict[str, tuple[tuple[str, ...], Need]] = {
    "twin serves": ((*T, *TWINS), kinds.Needs("one", "SELECT s FROM t WHERE a = 7")),
    "twin costs the same": ((*T, *TWINS), kinds.Cheaper("one", "SELECT s FROM t WHERE a = 7", 1.1)),
    "twin is as large": ((*T, *TWINS), kinds.Smaller("one", "two", 1.1)),
    "plain refuses nothing": ((*U, *TWINS), kinds.Refuses("one", SAME_ID)),
    "refused by a twin": (
        (*U, "CREATE UNIQUE INDEX one ON t (id)", "CREATE UNIQUE INDEX two ON t (id)"),
        kinds.Refuses("one", SAME_ID),
    ),
    "allowed by a twin": (
        (*U, "CREATE UNIQUE INDEX one ON t (id)", "CREATE UNIQUE INDEX two ON t (id)"),
        kinds.Allows("one", UPSERT_ID),
    ),
    "nothing depends": ((*T, *TWINS), kinds.Pinned("one")),
    "valid": ((*T, *TWINS), kinds.Broken("one")),
    "no statistics of its own": ((*T, *TWINS), kinds.Estimates("one", "SELECT s FROM t WHERE a = 7")),
    "no join removed": (
        (*U, "CREATE TABLE guest AS TABLE t", "CREATE INDEX one ON guest (id)"),
        kinds.RemovesJoin("one", "SELECT t.s FROM t LEFT JOIN guest ON guest.id = t.id"),
    ),
}

Connect = Callable[[str], psycopg.Connection[tuple[object, ...]]]


def laid(connection: Connection, setup: tuple[str, ...]) -> RedundancyCase:
    trap = RedundancyCase(name="claim", setup=setup, redundant=(Pair("gone", "kept"),), proofs=())
    lay(connection, trap)
    enter(connection, trap)
    return trap


@pytest.mark.parametrize("claim", FALSE_REPLACEMENTS)
def test_false_claim_of_a_replacement_is_found_out(database: str, connect: Connect, claim: str) -> None:
    setup, proof = FALSE_REPLACEMENTS[claim]
    connection = connect(database)
    trap = laid(connection, setup)
    with pytest.raises(AssertionError):
        prove_replacement(connection, trap, proof)


@pytest.mark.parametrize("claim", FALSE_NEEDS)
def test_false_claim_of_a_need_is_found_out(database: str, connect: Connect, claim: str) -> None:
    setup, proof = FALSE_NEEDS[claim]
    connection = connect(database)
    laid(connection, setup)
    with pytest.raises(AssertionError):
        prove_need(connection, proof)
