"""What a user sees while the demo runs."""

import io

import pytest
from rich.console import Console

from demo.stages import Stages


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


def test_without_a_terminal_each_stage_has_a_line_at_its_beginning_and_at_its_end(shown: io.StringIO) -> None:
    stages = Stages(Console(file=shown, width=20))
    with stages.stage("a long name of a stage") as tell:
        assert shown.getvalue() == "a long name of a stage …\n"
        tell("[bold]part[/]")
    assert shown.getvalue() == "a long name of a stage …\na long name of a stage: 0.0 s\n"


def test_a_stage_that_fails_is_not_said_to_have_ended(shown: io.StringIO) -> None:
    stages = Stages(Console(file=shown))
    with pytest.raises(ValueError, match="no"), stages.stage("load"):
        raise ValueError("no")
    assert shown.getvalue() == "load …\n"


def test_the_sum_names_the_longest_stage_first(shown: io.StringIO) -> None:
    readings = iter([0.0, 1.0, 1.0, 4.0, 4.0, 4.01])
    stages = Stages(Console(file=shown), clock=lambda: next(readings))
    for name in ("short", "long", "nothing"):
        with stages.timed(name):
            pass
    stages.say_total()
    assert shown.getvalue().splitlines()[-1] == "in all: 4.0 s (long 3.0, short 1.0)"


def test_on_a_terminal_the_part_that_is_being_done_is_shown(shown: io.StringIO) -> None:
    stages = Stages(Console(file=shown, force_terminal=True, width=80))
    with stages.stage("load") as tell:
        tell("loading [locks]")
    assert "load: 0.0 s" in shown.getvalue()
