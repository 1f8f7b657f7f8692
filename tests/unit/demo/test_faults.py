"""The list of planted faults."""

from importlib.resources import files
from typing import get_args

from demo.faults import FAULTS, Moment, planted
from demo.queries import load_all


def test_every_fault_has_its_script_and_every_script_its_fault() -> None:
    scripts = {path.name.removesuffix(".sql") for path in files("demo").joinpath("sql", "faults").iterdir()}
    assert scripts == {fault.id for fault in FAULTS}
    assert all(load_all(f"faults/{script}") for script in scripts)


def test_every_fault_is_planted_at_some_moment() -> None:
    by_moment = [fault for moment in get_args(Moment) for fault in planted(FAULTS, moment)]
    assert sorted(fault.id for fault in by_moment) == sorted(fault.id for fault in FAULTS)


def test_every_rule_of_an_index_that_the_small_scale_can_break_is_broken() -> None:
    rules = {fault.expected.rule for fault in FAULTS}
    assert rules == {f"IDX{number:03}" for number in range(1, 10)}


def test_no_two_faults_ask_for_the_same_finding() -> None:
    wanted = [(fault.expected.rule, fault.expected.index) for fault in FAULTS]
    assert len(set(wanted)) == len(wanted)
