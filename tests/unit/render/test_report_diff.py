from msgspec.structs import replace

from dbvitals.analyse.report_diff import diff_reports
from dbvitals.model import Severity
from dbvitals.render import terminal
from dbvitals.render.diff_document import diff_document
from tests.unit.render.reports import MIB, empty, existing, finding, hotel

NEWER = finding(Severity.HIGH, "IDX002", "new", "is missing")


def shown(text: str, *titles: str) -> bool:
    return all(title in text.splitlines() for title in titles)


def test_the_same_report_has_not_changed() -> None:
    diff = diff_reports(hotel(), hotel())
    assert diff.is_empty
    assert "Nothing has changed." in terminal.draw(diff_document(diff), width=80, color=False)


def test_a_finding_appears_and_goes() -> None:
    old, new = hotel(), replace(hotel(), findings=(*hotel().findings[1:], NEWER))
    diff = diff_reports(old, new)
    assert diff.appeared == (NEWER,)
    assert diff.gone == (old.findings[0],)
    assert diff.changed == ()


def test_a_new_figure_in_a_message_is_no_change_but_a_new_severity_or_statement_is() -> None:
    old = replace(empty(), findings=(finding(Severity.INFO, "IDX005", "i", "unused for 6 d"),))
    same = replace(empty(), findings=(finding(Severity.INFO, "IDX005", "i", "unused for 7 d"),))
    worse = replace(empty(), findings=(finding(Severity.MEDIUM, "IDX005", "i", "unused for 7 d"),))
    droppable = replace(empty(), findings=(finding(Severity.INFO, "IDX005", "i", "unused for 7 d", "DROP INDEX i;"),))
    assert diff_reports(old, same).is_empty
    assert [pair.new.severity for pair in diff_reports(old, worse).changed] == [Severity.MEDIUM]
    assert len(diff_reports(old, droppable).changed) == 1


def test_two_findings_of_one_rule_about_one_thing_are_two() -> None:
    one, two = (finding(Severity.HIGH, "IDX002", "t", f"column {name}") for name in "ab")
    diff = diff_reports(replace(empty(), findings=(one,)), replace(empty(), findings=(two, one)))
    assert len(diff.appeared) == 1


def test_indexes_come_and_go_and_change_their_size() -> None:
    old = replace(
        empty(),
        existing_indexes=(
            existing("goes", ("a",), MIB),
            existing("grows", ("b",), 10 * MIB),
            existing("shrinks", ("c",), 100 * MIB),
            existing("grows a little", ("d",), 10 * MIB),
            existing("is small", ("e",), 8192),
        ),
    )
    new = replace(
        empty(),
        existing_indexes=(
            existing("comes", ("a",), MIB),
            existing("grows", ("b",), 12 * MIB),
            existing("shrinks", ("c",), 50 * MIB),
            existing("grows a little", ("d",), 11 * MIB),
            existing("is small", ("e",), 81920),
        ),
    )
    diff = diff_reports(old, new)
    assert [name.index for name in diff.indexes_added] == ["comes"]
    assert [name.index for name in diff.indexes_removed] == ["goes"]
    assert [(index.index, index.new_bytes) for index in diff.indexes_resized] == [
        ("shrinks", 50 * MIB),
        ("grows", 12 * MIB),
    ]


def test_every_change_has_its_section() -> None:
    old = replace(hotel(), existing_indexes=(existing("goes", ("a",), MIB), existing("grows", ("b",), MIB)))
    worse = replace(old.findings[1], severity=Severity.HIGH)
    new = replace(
        old,
        findings=(NEWER, worse, old.findings[2]),
        existing_indexes=(existing("comes", ("a",), MIB), existing("grows", ("b",), 9 * MIB)),
    )
    page = terminal.draw(diff_document(diff_reports(old, new)), width=100, color=False)
    assert shown(
        page,
        "New findings",
        "Findings judged differently",
        "Findings that are gone",
        "Indexes added",
        "Indexes removed",
        "Indexes that changed their size",
    )
    assert "9.0 MiB" in page
