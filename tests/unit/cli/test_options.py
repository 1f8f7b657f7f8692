from dataclasses import replace

import click
import pytest

from dbvitals.cli.config_file import Config
from dbvitals.cli.delivery import exit_code
from dbvitals.cli.options import Call, Duration, Number
from dbvitals.model import Severity, Skipped
from dbvitals.settings import Timeouts

PART = Skipped(part="bloat", why="no right", mend="GRANT")
STOPPED = Skipped(part="interrupted", why="Ctrl-C", mend="again")


def call(*, strict: bool = False, fail_on: Severity | None = None) -> Call:
    return Call(
        output="-",
        format="table",
        strict=strict,
        fail_on=fail_on,
        timeouts=Timeouts(),
        quiet=False,
        verbose=False,
        color=True,
        config=Config(),
        config_name="",
        connection={"password": "s3cret"},
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15", 15.0), ("500ms", 0.5), ("1.5 s", 1.5), ("2min", 120.0), (".5", 0.5), (7, 7.0), ("86400", 86400.0)],
)
def test_a_time_is_seconds_or_has_a_unit(text: object, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e9", "5h", "", "86401", "٣", True])
def test_what_is_no_time_is_refused(text: object) -> None:
    with pytest.raises(click.BadParameter, match="is not a time such as 15, 500ms or 2min"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize("text", ["nan", "inf", "-0.1", "11", "x"])
def test_what_is_no_number_within_the_bounds_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a number from 0 to 10"):
        Number(0, 10).convert(text, None, None)


@pytest.mark.parametrize(
    ("fail_on", "worst", "code"),
    [
        (None, Severity.CRITICAL, 0),
        (Severity.HIGH, None, 0),
        (Severity.HIGH, Severity.MEDIUM, 0),
        (Severity.HIGH, Severity.HIGH, 1),
        (Severity.HIGH, Severity.CRITICAL, 1),
        (Severity.INFO, Severity.INFO, 1),
    ],
)
def test_a_finding_at_or_above_fail_on_is_exit_code_1(
    fail_on: Severity | None, worst: Severity | None, code: int
) -> None:
    assert exit_code(call(fail_on=fail_on), worst, ()) == code


def test_a_missing_part_is_exit_code_4_only_when_strict() -> None:
    assert exit_code(call(), None, (PART,)) == 0
    assert exit_code(call(strict=True), None, (PART,)) == 4
    assert exit_code(call(strict=True), None, ()) == 0


def test_a_missing_part_weighs_more_than_a_finding_and_an_interruption_most() -> None:
    strict = call(strict=True, fail_on=Severity.INFO)
    assert exit_code(strict, Severity.HIGH, (PART,)) == 4
    assert exit_code(strict, Severity.HIGH, (PART, STOPPED)) == 130
    assert exit_code(replace(strict, strict=False), Severity.HIGH, (PART,)) == 1


def test_a_call_does_not_show_the_password() -> None:
    assert "s3cret" not in repr(call())
