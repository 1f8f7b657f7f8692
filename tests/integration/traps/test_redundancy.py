"""Redundant indexes: the analysis names exactly those that the server can do without, and no other."""

from typing import get_args

import pytest

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.index_semantics import find_redundant
from tests.integration.traps.case import Need, Pair, RedundancyCase, Replacement
from tests.integration.traps.ground import Ground, aged, report_of
from tests.integration.traps.proofs import prove_need, prove_replacement
from tests.integration.traps.suite import REDUNDANCY
from tests.integration.traps.workbench import indexes, remove, root, trial

each_case = pytest.mark.parametrize("case", REDUNDANCY, ids=lambda case: case.name)


@each_case
def test_analysis_names_the_redundant_indexes_and_no_others(redundancy_ground: Ground, case: RedundancyCase) -> None:
    redundancy_ground.enter(case)
    found = find_redundant(Catalog(redundancy_ground.snapshot))
    pairs = {Pair(r.index.name, r.kept.name, r.kind) for r in found if r.index.schema == case.name}
    assert pairs == set(case.redundant)
    assert all(r.proof for r in found if r.index.schema == case.name), "every verdict carries its proof in words"


@each_case
def test_server_does_without_what_is_redundant(redundancy_ground: Ground, case: RedundancyCase) -> None:
    connection = redundancy_ground.enter(case)
    for proof in case.proofs:
        if isinstance(proof, Replacement):
            prove_replacement(connection, case, proof)


@each_case
def test_server_needs_what_is_kept(redundancy_ground: Ground, case: RedundancyCase) -> None:
    connection = redundancy_ground.enter(case)
    for proof in case.proofs:
        if isinstance(proof, Need):
            with trial(connection):
                remove(connection, [pair.dropped for pair in case.redundant])
                prove_need(connection, proof)


@each_case
def test_every_index_of_a_trap_is_proven_one_way_or_the_other(redundancy_ground: Ground, case: RedundancyCase) -> None:
    connection = redundancy_ground.enter(case)
    replaced = {proof.dropped for proof in case.proofs if isinstance(proof, get_args(Replacement))}
    needed = {root(connection, proof.index) for proof in case.proofs if isinstance(proof, get_args(Need))}
    kept = {root(connection, pair.kept) for pair in case.redundant}
    assert replaced == {pair.dropped for pair in case.redundant}
    assert replaced | needed | kept == set(indexes(connection))


@each_case
def test_sql_of_the_report_removes_exactly_the_redundant_indexes(
    redundancy_ground: Ground, case: RedundancyCase
) -> None:
    connection = redundancy_ground.enter(case)
    report = report_of(redundancy_ground.snapshot)
    statements = [entry.sql for entry in report.duplicate_indexes if entry.schema == case.name and entry.sql]
    before = set(indexes(connection))
    with trial(connection):
        for statement in statements:
            connection.execute(statement.replace(" CONCURRENTLY", ""))
        assert before - set(indexes(connection)) == {pair.dropped for pair in case.redundant}


def test_report_never_gives_away_an_index_and_what_stays_for_it(redundancy_ground: Ground) -> None:
    report = report_of(aged(redundancy_ground.snapshot))
    pairs = [entry for entry in report.duplicate_indexes if entry.sql]
    going = {(entry.schema, entry.index) for entry in pairs}
    going |= {(entry.schema, entry.index) for entry in report.unused_indexes if entry.droppable}
    assert len(pairs) > 50
    assert [entry for entry in pairs if (entry.schema, entry.kept_index) in going] == []
