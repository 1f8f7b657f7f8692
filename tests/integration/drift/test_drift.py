"""Drift is found and named, the printed SQL mends it, and the same schema is met with silence."""

import pytest
from msgspec.structs import replace

from dbvitals.analyse.index_report import IndexReport
from dbvitals.snapshot import IndexBuild
from tests.integration.drift.case import Case
from tests.integration.drift.conftest import ALL
from tests.integration.drift.ground import Ground, analyse, drift_findings, only, printed_sql, printed_undo

each_case = pytest.mark.parametrize("case", ALL, ids=lambda case: case.name.encode("unicode_escape").decode())


def judge(case: Case, looked_at: Ground, declared_on: Ground) -> IndexReport:
    return analyse(only(looked_at.found, case), only(declared_on.declared, case))


@each_case
def test_a_difference_is_found_and_named(case: Case, looked_at: Ground, declared_on: Ground) -> None:
    report = judge(case, looked_at, declared_on)
    drifted = {row.index: row.differences for row in report.drifted_indexes}
    missing = {row.index_name for row in report.missing_indexes if row.source == "declared"}
    assert drifted == ({case.index: case.differences} if case.section in {"drifted", "renamed"} else {})
    assert missing == ({case.index} if case.section == "missing" else set())


@each_case
def test_the_finding_has_its_severity_and_its_words(case: Case, looked_at: Ground, declared_on: Ground) -> None:
    findings = drift_findings(judge(case, looked_at, declared_on))
    if case.section == "silent":
        assert not findings
        return
    (finding,) = findings
    assert finding.severity == case.severity
    assert finding.subject.name == case.index
    assert case.says in finding.message
    assert all(difference in finding.message for difference in case.differences if case.section == "drifted")


@each_case
def test_the_printed_sql_mends_it(case: Case, looked_at: Ground, declared_on: Ground) -> None:
    outcome = looked_at.outcomes[case.name]
    assert (outcome.returncode, outcome.stderr) == (0, "")
    report = analyse(only(looked_at.mended, case), only(declared_on.declared, case))
    left = [finding.message for finding in drift_findings(report)]
    assert (left == []) is case.mends, left
    assert not report.invalid_indexes


@each_case
def test_the_undo_brings_back_what_was_found(case: Case, looked_at: Ground) -> None:
    outcome = looked_at.undo_outcomes[case.name]
    assert (outcome.returncode, outcome.stderr) == (0, "")
    before, after = (
        analyse(only(seen, case), only(looked_at.declared, case)) for seen in (looked_at.found, looked_at.undone)
    )
    if printed_undo(before, case):
        assert [finding.message for finding in drift_findings(after)] == [f.message for f in drift_findings(before)]
    else:
        assert not case.mends or case.section == "silent" or before.invalid_indexes


@each_case
def test_the_sql_does_not_depend_on_the_server_declared_on(case: Case, looked_at: Ground, declared_on: Ground) -> None:
    here, there = (printed_sql(judge(case, looked_at, ground), case) for ground in (looked_at, declared_on))
    assert here == there


def test_what_a_table_knows_of_its_index_outlives_the_swap(looked_at: Ground) -> None:
    marks = {
        index.schema: (index.replica_identity, index.clustered)
        for index in looked_at.mended.indexes
        if index.schema in {"replica_identity_stays", "clustered_stays"}
    }
    assert marks == {"replica_identity_stays": (True, False), "clustered_stays": (False, True)}


def test_an_index_that_is_being_built_has_not_drifted(looked_at: Ground) -> None:
    case = next(case for case in ALL if case.name == "invalid_unique")
    found, declared = only(looked_at.found, case), only(looked_at.declared, case)
    (index,) = found.indexes
    build = IndexBuild(pid=1, table_oid=index.table_oid, index_oid=index.oid, phase="building index", done_percent=5.0)
    assert drift_findings(analyse(found, declared))
    assert not drift_findings(analyse(replace(found, builds=(build,)), declared))
