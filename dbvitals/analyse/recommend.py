"""The guide's recommendations: one line for all findings of a category, worst first."""

from collections import defaultdict
from collections.abc import Iterable

from dbvitals.model import Finding, Recommendation

CATEGORIES = {
    "IDX001": (
        "missing_indexes",
        "declared index(es) or tables are missing",
        "Review missing_indexes and run its CREATE INDEX statements; run pending migrations first",
    ),
    "IDX002": (
        "drifted_indexes",
        "index(es) differ from their declaration",
        "Review drifted_indexes and run its statements, or correct the declaration",
    ),
    "IDX003": (
        "foreign_keys",
        "foreign key(s) without an index on the referencing side",
        "Review missing_indexes with source foreign_key",
    ),
    "IDX004": (
        "workload",
        "index(es) that frequent, slow statements ask for",
        "Review missing_indexes with source workload; try them on a copy first",
    ),
    "IDX005": (
        "unused_indexes",
        "index(es) that nobody has scanned",
        "Review unused_indexes; drop only those that are droppable",
    ),
    "IDX006": (
        "duplicate_indexes",
        "duplicate index(es): each costs writes and space for nothing",
        "Review duplicate_indexes and run its DROP INDEX statements",
    ),
    "IDX007": (
        "redundant_indexes",
        "index(es) whose work another one does as well",
        "Review duplicate_indexes of kind prefix",
    ),
    "IDX008": (
        "invalid_indexes",
        "index(es) that no query can use",
        "Review invalid_indexes: rebuild or drop them",
    ),
    "IDX009": (
        "bloated_indexes",
        "index(es) that are mostly empty pages",
        "Review bloated_indexes and run its REINDEX statements in a quiet hour",
    ),
    "IDX010": (
        "oversized_indexes",
        "index(es) above the size to review",
        "Ask the question of each in oversized_indexes",
    ),
    "IDX011": (
        "unlogged_tables",
        "unlogged table(s): emptied by a crash, absent from standbys",
        "Make sure that losing them is acceptable",
    ),
    "IDX012": ("hash_indexes", "hash index(es) over few distinct values", "Consider a B-tree in their place"),
    "IDX013": (
        "server_version",
        "the server's version has a defect in concurrent index builds",
        "Update the server before running any statement of this report",
    ),
    "IDX014": (
        "undeclared_indexes",
        "index(es) that the project does not declare",
        "Declare them in the models, or drop them",
    ),
}


def recommend(findings: Iterable[Finding]) -> tuple[Recommendation, ...]:
    """One recommendation a rule that has findings, with the severity of its worst one."""
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_rule[finding.rule].append(finding)
    found = []
    for rule, group in by_rule.items():
        category, message, action = CATEGORIES[rule]
        severity = min((finding.severity for finding in group), key=lambda s: s.rank)
        found.append(
            Recommendation(severity=severity, category=category, message=f"{len(group)} {message}", action=action)
        )
    return tuple(sorted(found, key=lambda r: (r.severity.rank, r.category)))
