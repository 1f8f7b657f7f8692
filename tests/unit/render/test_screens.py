"""Whole pages as golden text. After a change that is meant: `python -m tests.unit.render.test_screens`, and look."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

from dbvitals.analyse.index_report import IndexReport
from dbvitals.render import html, markdown, terminal
from dbvitals.render.index_document import overview, whole
from tests.unit.render import reports

GOLDEN = Path(__file__).parent / "golden"
REPORT = ".playbook/index_analysis.json"
REPORTS = {"hotel": reports.hotel, "hostile": reports.hostile, "empty": reports.empty}


def narrow(report: IndexReport) -> str:
    return terminal.draw(overview(report, REPORT), width=80, color=False)


def wide(report: IndexReport) -> str:
    return terminal.draw(overview(report, REPORT), width=140, color=False)


def as_markdown(report: IndexReport) -> str:
    return markdown.draw(whole(report))


def as_html(report: IndexReport) -> str:
    return html.draw(whole(report))


SCREENS: dict[str, Callable[[IndexReport], str]] = {
    "80.txt": narrow,
    "140.txt": wide,
    "md": as_markdown,
    "html": as_html,
}
CASES = [(name, screen) for name in REPORTS for screen in SCREENS]


@pytest.mark.parametrize(("name", "screen"), CASES)
def test_the_page_is_as_it_was_agreed(name: str, screen: str) -> None:
    drawn = SCREENS[screen](REPORTS[name]())
    assert drawn == (GOLDEN / f"{name}.{screen}").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_no_line_is_wider_than_the_screen(name: str, width: int) -> None:
    drawn = terminal.draw(overview(REPORTS[name](), REPORT), width=width, color=False)
    assert max(cell_len(line) for line in drawn.splitlines()) <= width


@pytest.mark.parametrize("screen", ["80.txt", "140.txt", "md", "html"])
def test_no_name_brings_control_characters_into_a_page(screen: str) -> None:
    drawn = SCREENS[screen](reports.hostile())
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", drawn)


def test_without_colour_there_is_no_escape_sequence() -> None:
    assert "\x1b" not in narrow(reports.hotel())


def test_with_colour_a_severity_is_coloured_and_a_name_is_not() -> None:
    drawn = terminal.draw(overview(reports.hotel(), REPORT), width=140, color=True)
    assert "\x1b[1;31mHIGH" in drawn
    assert "audit_logs_pkey does everything" in drawn


def test_a_narrow_screen_leaves_out_the_least_important_columns() -> None:
    assert "same order and operator" in wide(reports.hotel())
    assert "same order and operator" not in narrow(reports.hotel())
    assert "Served by" in narrow(reports.hotel())


def test_html_takes_nothing_from_elsewhere_and_runs_nothing() -> None:
    page = as_html(reports.hostile())
    assert "<script" not in page
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?:", page)


def test_a_name_cannot_leave_its_markdown_cell() -> None:
    page = as_markdown(reports.hostile())
    rows = [line for line in page.splitlines() if line.startswith("| **CRITICAL**")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [5]
    assert "<script>" not in page.split("```")[0]


def main() -> None:
    """Write the golden pages anew."""
    for name, screen in CASES:
        (GOLDEN / f"{name}.{screen}").write_text(SCREENS[screen](REPORTS[name]()), encoding="utf-8")


if __name__ == "__main__":
    main()
