"""The guide's recommendations: one line for all findings of a category, worst first."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from dbvitals.model import Finding, Recommendation


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """What the findings of one rule are called, alone and together, and what to do about them."""

    name: str
    one: str
    many: str
    action: str


CATEGORIES = {
    "IDX001": Category(
        name="missing_indexes",
        one="declared index or table is missing",
        many="declared indexes or tables are missing",
        action="Run pending migrations; then review missing_indexes and run its CREATE INDEX statements",
    ),
    "IDX002": Category(
        name="drifted_indexes",
        one="index differs from its declaration",
        many="indexes differ from their declarations",
        action="Review drifted_indexes and run its statements, or correct the declaration",
    ),
    "IDX003": Category(
        name="foreign_keys",
        one="foreign key has no index on the referencing side",
        many="foreign keys have no index on the referencing side",
        action="Review missing_indexes with source foreign_key",
    ),
    "IDX004": Category(
        name="workload",
        one="index is asked for by slow, frequent statements",
        many="indexes are asked for by slow, frequent statements",
        action="Review missing_indexes with source workload, and try them on a copy first",
    ),
    "IDX005": Category(
        name="unused_indexes",
        one="index has never been scanned",
        many="indexes have never been scanned",
        action="Review unused_indexes; drop only those that are droppable",
    ),
    "IDX006": Category(
        name="duplicate_indexes",
        one="index is a duplicate: it costs writes and space for nothing",
        many="indexes are duplicates: they cost writes and space for nothing",
        action="Review duplicate_indexes and run its DROP INDEX statements",
    ),
    "IDX007": Category(
        name="redundant_indexes",
        one="index does nothing that another one does not do",
        many="indexes do nothing that others do not do",
        action="Review duplicate_indexes of kind prefix",
    ),
    "IDX008": Category(
        name="invalid_indexes",
        one="index cannot be used by any query",
        many="indexes cannot be used by any query",
        action="Review invalid_indexes: rebuild or drop",
    ),
    "IDX009": Category(
        name="bloated_indexes",
        one="index is mostly empty pages",
        many="indexes are mostly empty pages",
        action="Review bloated_indexes and run its REINDEX statements in a quiet hour",
    ),
    "IDX010": Category(
        name="oversized_indexes",
        one="index is above the size to review",
        many="indexes are above the size to review",
        action="Ask the question of each in oversized_indexes",
    ),
    "IDX011": Category(
        name="unlogged_tables",
        one="table is unlogged: emptied by a crash, absent from standbys",
        many="tables are unlogged: emptied by a crash, absent from standbys",
        action="Make sure that losing them is acceptable",
    ),
    "IDX012": Category(
        name="hash_indexes",
        one="hash index covers few distinct values",
        many="hash indexes cover few distinct values",
        action="Consider a B-tree in its place",
    ),
    "IDX013": Category(
        name="server_version",
        one="server version builds broken indexes",
        many="server versions build broken indexes",
        action="Update the server before running any statement of this report",
    ),
    "IDX014": Category(
        name="undeclared_indexes",
        one="index is not declared by the project",
        many="indexes are not declared by the project",
        action="Declare them in the models, or drop them",
    ),
}


def recommend(findings: Iterable[Finding]) -> tuple[Recommendation, ...]:
    """One recommendation a rule that has findings, with the severity of its worst one."""
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_rule[finding.rule].append(finding)
    found = [_recommendation(CATEGORIES[rule], group) for rule, group in by_rule.items()]
    return tuple(sorted(found, key=lambda r: (r.severity.rank, r.category)))


def _recommendation(category: Category, group: list[Finding]) -> Recommendation:
    words = category.one if len(group) == 1 else category.many
    return Recommendation(
        severity=min((finding.severity for finding in group), key=lambda severity: severity.rank),
        category=category.name,
        message=f"{len(group):,} {words}",
        action=category.action,
    )
