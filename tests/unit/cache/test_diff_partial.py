"""A difference is no all-clear: what got worse is told, and what was not seen is neither gone nor smaller."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from dbvitals.analyse.keyspace_diff import CacheReportDiff, diff_cache_reports
from dbvitals.analyse.keyspace_report import CacheReport
from dbvitals.model import Evidence, Finding, Severity, Skipped
from dbvitals.render import markdown, terminal
from dbvitals.render.keyspace_diff_document import cache_diff_document
from tests.unit.cache.builders import node, report, snapshot, stats


def locks(without_ttl: int) -> CacheReport:
    return report(snapshot(stats("lock:*", [-1] * without_ttl + [9_000] * (20_000 - without_ttl))))


def drawn(diff: CacheReportDiff) -> str:
    return terminal.draw(cache_diff_document(diff), width=120, color=False)


def test_many_more_locks_without_ttl_are_a_change() -> None:
    diff = diff_cache_reports(locks(1), locks(19_000))
    assert [(one.new.rule, one.new.severity) for one in diff.changed] == [("RED006", Severity.CRITICAL)]
    assert [(one.old_no_ttl, one.new_no_ttl) for one in diff.patterns] == [(1, 19_000)]
    assert not diff.is_empty
    assert "19,000 keys without TTL" in drawn(diff)
    assert "1 key without TTL" in drawn(diff)


@pytest.mark.parametrize(("before", "after", "told"), [(1_000, 1_099, False), (1_000, 1_101, True), (900, 700, True)])
def test_a_tenth_more_or_less_without_ttl_is_told(before: int, after: int, told: bool) -> None:
    diff = diff_cache_reports(locks(before), locks(after))
    assert (bool(diff.patterns), bool(diff.changed), diff.is_empty) == (told, told, not told)


def with_finding(severity: Severity, *evidence: Evidence, message: str = "x") -> CacheReport:
    made = report(snapshot(stats("a:<n>", [9_000])))
    finding = Finding(
        rule="RED008",
        severity=severity,
        subject=structs.replace(locks(1).findings[0].subject, name="a"),
        message=message,
        evidence=evidence,
    )
    return structs.replace(made, findings=(finding,))


def test_a_finding_that_got_worse_is_told_with_both_severities() -> None:
    diff = diff_cache_reports(with_finding(Severity.INFO), with_finding(Severity.HIGH, message="91 % full"))
    (pair,) = diff.changed
    assert (pair.old.severity, pair.new.severity, diff.appeared, diff.gone) == (Severity.INFO, Severity.HIGH, (), ())
    text = drawn(diff)
    assert "Findings that changed" in text
    assert "INFO" in text
    assert "HIGH" in text


@pytest.mark.parametrize(
    ("name", "unit", "before", "after", "told"),
    [
        ("full", "percent", 1.0, 91.0, True),
        ("full", "percent", 50.0, 51.0, False),
        ("full", "percent", 1.0, 2.5, False),
        ("memory", "bytes", 10**6, 10**8, True),
        ("memory", "bytes", 10**4, 10**5, False),
        ("counted for", "seconds", 60, 6_000, False),
        ("misses", "reads", 10, 9_999, False),
        ("full", "percent", None, 91.0, False),
    ],
)
def test_figures_that_move_by_themselves_are_no_change(
    name: str, unit: str, before: float | None, after: float, told: bool
) -> None:
    pair = [with_finding(Severity.INFO, Evidence(name=name, value=value, unit=unit)) for value in (before, after)]
    assert bool(diff_cache_reports(*pair).changed) is told


def cut(made: CacheReport, **changes: Any) -> CacheReport:
    coverage = structs.replace(made.summary.coverage, **changes)
    return structs.replace(made, summary=structs.replace(made.summary, coverage=coverage))


PARTIAL: dict[str, Callable[[CacheReport], CacheReport]] = {
    "partial": lambda made: cut(made, trusted=False, confidence="partial: the keys that were reached"),
    "sample": lambda made: cut(made, mode="sample"),
    "another server": lambda made: structs.replace(made, target=structs.replace(made.target, host="other")),
    "another database": lambda made: structs.replace(made, target=structs.replace(made.target, database="3")),
}


@pytest.mark.parametrize("spoil", PARTIAL.values(), ids=PARTIAL)
@pytest.mark.parametrize("side", ["older", "new"])
def test_what_was_not_seen_is_neither_gone_nor_changed(side: str, spoil: Callable[[CacheReport], CacheReport]) -> None:
    old, new = locks(300), report(snapshot(stats("session:*", [9_000] * 3)))
    old, new = (spoil(old), new) if side == "older" else (old, spoil(new))
    diff = diff_cache_reports(old, new)
    assert (diff.gone, diff.patterns) == ((), ())
    assert diff.not_compared
    for text in (drawn(diff), markdown.draw(cache_diff_document(diff))):
        assert "NOT ALL" in text
        assert "Nothing has changed." not in text
        assert "are gone" not in text


def test_what_a_partial_report_found_is_told_all_the_same() -> None:
    diff = diff_cache_reports(report(snapshot(stats("lock:*", [9_000]))), PARTIAL["partial"](locks(3)))
    assert {finding.rule for finding in diff.appeared} == {"RED006"}


def test_of_a_partial_report_only_worse_severities_are_told() -> None:
    assert diff_cache_reports(locks(9_000), PARTIAL["partial"](locks(10))).changed == ()
    worse = PARTIAL["partial"](with_finding(Severity.HIGH))
    assert diff_cache_reports(with_finding(Severity.INFO), worse).changed
    assert not diff_cache_reports(with_finding(Severity.HIGH), PARTIAL["partial"](with_finding(Severity.INFO))).changed


def test_a_finding_is_not_gone_because_a_right_is() -> None:
    sizes = Skipped(part="sizes of keys", why="denied", mend="allow it")
    old, new = locks(3), structs.replace(locks(0), incomplete=(sizes,))
    diff = diff_cache_reports(old, new)
    assert (diff.gone, diff.not_compared) == ((), ("the new report lacks the sizes of keys",))
    both = diff_cache_reports(structs.replace(old, incomplete=(sizes,)), new)
    assert ([finding.rule for finding in both.gone], both.not_compared) == (["RED006"], ())


def test_what_is_not_known_has_not_changed() -> None:
    old = locks(5)
    unknown = [structs.replace(row, memory_bytes=None, no_ttl=None, memory_percent=None) for row in old.patterns]
    diff = diff_cache_reports(old, structs.replace(old, patterns=tuple(unknown)))
    assert diff.patterns == ()


def test_a_socket_is_called_by_its_path() -> None:
    made = report(snapshot(nodes=(node(host="/run/redis.sock"),)))
    assert made.place == "/run/redis.sock"
    (reason,) = diff_cache_reports(report(snapshot()), made).not_compared
    assert reason == "the older report is of redis.example:6379, the new one of /run/redis.sock"
