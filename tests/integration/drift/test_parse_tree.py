"""Without any PostgreSQL at hand: the verdict by the parse tree agrees with the server's, but for what is said here."""

from dbvitals.analyse.index_report import IndexReport
from dbvitals.collect.expected_parsed import expected_by_parse_tree
from dbvitals.expect import Expectations
from tests.integration.drift.case import Case
from tests.integration.drift.ground import Ground, analyse, drift_findings, only
from tests.integration.drift.test_drift import each_case

# What the server sees and the parse tree does not: casts, constant dates, and the columns themselves.
WEAKER: dict[str, dict[str, frozenset[str]]] = {
    "cast_lost": {},
    "cast_lost_partitioned": {},
    "date_changed": {},
    "date_changed_partitioned": {},
    "column_of_another_collation": {},
    "column_of_another_type": {},
}


def verdict(report: IndexReport) -> dict[str, frozenset[str]]:
    drifted = {row.index: frozenset(d.partition(":")[0] for d in row.differences) for row in report.drifted_indexes}
    missing = {row.index_name: frozenset({"missing"}) for row in report.missing_indexes if row.source == "declared"}
    tables = {f.subject.name: frozenset({"no table"}) for f in drift_findings(report) if f.subject.kind == "table"}
    return drifted | missing | tables


@each_case
def test_the_parse_tree_agrees_with_the_server(case: Case, looked_at: Ground) -> None:
    found = only(looked_at.found, case)
    ddl = tuple(statement for statement in (*case.table, *case.declared) if not statement.startswith("INSERT"))
    parsed, skipped = expected_by_parse_tree(Expectations(ddl=ddl, schema=case.name), found, why="no PostgreSQL here")
    assert [part.part for part in skipped] == ["declared indexes"]
    by_server = verdict(analyse(found, only(looked_at.declared, case)))
    assert verdict(analyse(found, parsed)) == WEAKER.get(case.name, by_server)
