"""Findings about a cache as a table: how bad, about what, what to do, how sure."""

from collections.abc import Sequence

from dbvitals.model import Finding
from dbvitals.render.document import Column, Table

_COLUMNS = (
    Column(title="Severity"),
    Column(title="About", flexible=True),
    Column(title="Finding", flexible=True),
    Column(title="To do", flexible=True, priority=2, below="Finding"),
    Column(title="Confidence", priority=1, below="Finding"),
    Column(title="Rule", priority=3),
)


def cache_findings_table(findings: Sequence[Finding], limit: int) -> Table:
    """Make a table of findings as they come."""
    rows = tuple(
        (
            finding.severity,
            finding.subject.name,
            finding.message,
            advice(finding),
            finding.confidence,
            finding.rule,
        )
        for finding in findings[:limit]
    )
    return Table(columns=_COLUMNS, rows=rows, left_out=max(0, len(findings) - limit))


def advice(finding: Finding) -> str:
    """What to do, with the line to change."""
    return " ".join(filter(None, (finding.action.summary, finding.action.statement))) if finding.action else ""
