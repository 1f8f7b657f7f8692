"""The pace of a watch, and what it costs."""

import time

from dbvitals.collect.own_cost import WINDOW, Budget
from dbvitals.collect.watch import next_due


def test_trap_20_a_slow_look_neither_shifts_the_beat_nor_piles_up() -> None:
    now = time.monotonic()
    assert next_due(now, 10.0) == now + 10.0
    late = next_due(now - 25.0, 10.0)
    assert late == now - 25.0 + 30.0


def test_a_look_that_costs_too_much_is_taken_less_often() -> None:
    budget = Budget(0.25)
    for number in range(WINDOW):
        budget.note(0.001 if number == 0 else 0.009)
    assert budget.period == 0.8
    assert budget.slowed_down


def test_a_far_server_is_not_a_dear_one() -> None:
    """All answers take long: that is the network."""
    budget = Budget(0.25)
    for _ in range(WINDOW):
        budget.note(0.040)
    assert (budget.period, budget.slowed_down) == (0.25, False)
