"""Indexes that must stay although nobody scans them; and those that may go, so that 'never' is not the easy answer."""

import pytest

from tests.integration.traps.case import KeptCase, Trap
from tests.integration.traps.ground import Ground, aged, unused_by_name
from tests.integration.traps.proofs import prove_need
from tests.integration.traps.suite import DROPPABLE, KEPT

each_case = pytest.mark.parametrize("case", KEPT, ids=lambda case: case.name)


@each_case
def test_index_is_not_droppable_and_says_why(kept_ground: Ground, case: KeptCase) -> None:
    kept_ground.enter(case)
    entry = unused_by_name(aged(kept_ground.snapshot)).get((case.name, case.index))
    if case.reasons is None:
        assert entry is None
        return
    assert entry is not None
    assert set(entry.kept_because) <= set(case.reasons)
    assert entry.kept_because
    assert not entry.droppable
    assert entry.sql is None


@each_case
def test_server_loses_something_with_the_index(kept_ground: Ground, case: KeptCase) -> None:
    prove_need(kept_ground.enter(case), case.proof)


@pytest.mark.parametrize("trap", DROPPABLE, ids=lambda trap: trap.name)
def test_index_that_nothing_keeps_is_droppable(kept_ground: Ground, trap: Trap) -> None:
    kept_ground.enter(trap)
    entry = unused_by_name(aged(kept_ground.snapshot))[trap.name, "idx_t_a"]
    assert entry.kept_because == ()
    assert entry.droppable
    assert entry.sql is not None
    assert "idx_t_a" in entry.sql


@pytest.mark.parametrize("trap", DROPPABLE, ids=lambda trap: trap.name)
def test_nothing_is_droppable_right_after_a_reset_of_the_counters(kept_ground: Ground, trap: Trap) -> None:
    kept_ground.enter(trap)
    entry = unused_by_name(kept_ground.snapshot)[trap.name, "idx_t_a"]
    assert entry.kept_because == ("too_young",)
    assert entry.sql is None
