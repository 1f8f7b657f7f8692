"""The pages of an index report: the overview for a terminal, and the whole for Markdown and HTML."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dbvitals.analyse.index_report import IndexReport, Summary
from dbvitals.model import Finding, Severity
from dbvitals.render.document import Block, Column, Document, Facts, Heading, Notice, Paragraph, Table, Tally
from dbvitals.render.index_sections import inventory, sections, statements
from dbvitals.render.text import moment, plural, relation, size

OVERVIEW_ROWS = 10
"""Rows of a table in the overview: what fits on a screen; the report has the rest."""

PAGE_ROWS = 500
"""Rows of a table on a whole page: what a browser and a person still scroll through."""


def overview(report: IndexReport, place: str) -> Document:
    """Lay out counts, what could not be seen, and findings, worst first; `place` is where the report is."""
    blocks = (*_head(report, OVERVIEW_ROWS), *sections(report, OVERVIEW_ROWS), *_closing(report, place))
    return Document(title=_title(report), blocks=blocks)


def whole(report: IndexReport) -> Document:
    """Lay out all of the overview in full, with the statements, then every index and every table."""
    blocks = (
        *_head(report, PAGE_ROWS),
        *sections(report, PAGE_ROWS),
        *statements(report, PAGE_ROWS),
        *inventory(report, PAGE_ROWS),
    )
    return Document(title=_title(report), blocks=blocks)


def findings_table(findings: Sequence[Finding], limit: int) -> Table:
    """Make a table of findings as they come: how bad, about what, in words, under which rule."""
    columns = (
        Column(title="Severity"),
        Column(title="About", flexible=True),
        Column(title="Finding", flexible=True),
        Column(title="Rule", priority=1),
    )
    rows = tuple(
        (
            finding.severity,
            relation(finding.subject.schema, finding.subject.name),
            finding.message,
            finding.rule,
        )
        for finding in findings[:limit]
    )
    return Table(columns=columns, rows=rows, left_out=max(0, len(findings) - limit))


def _title(report: IndexReport) -> str:
    return f"Indexes of {report.target.database}"


def _head(report: IndexReport, limit: int) -> Iterator[Block]:
    yield Facts(_facts(report))
    counts = Counter(finding.severity for finding in report.findings)
    yield Tally(tuple((severity, counts[severity]) for severity in Severity))
    if report.incomplete:
        yield Heading("This report is incomplete")
        for skipped in report.incomplete:
            yield Notice("NOT SEEN", Severity.HIGH, f"{skipped.part}: {skipped.why}; to mend it: {skipped.mend}")
    if report.recommendations:
        yield Heading("What to do")
        for advice in report.recommendations:
            yield Notice(advice.severity.upper(), advice.severity, f"{advice.message}. {advice.action}".strip())
    yield Heading("Findings, worst first")
    if report.findings:
        yield findings_table(report.findings, limit)
    else:
        yield Paragraph("Nothing was found in what could be seen." if report.incomplete else "Nothing was found.")


def _facts(report: IndexReport) -> tuple[tuple[str, str], ...]:
    target, summary = report.target, report.summary
    server = f"PostgreSQL {target.server_version} on {target.host}:{target.port}, {target.role}, as {target.user}"
    indexes = f"{summary.total_indexes:,} on {plural(summary.tables_analyzed, 'table')}"
    cost = f"{plural(report.cost.statements, 'statement')}, answered in {report.cost.query_seconds:.2f} s"
    sizes = f"{size(summary.total_index_bytes)}, of which {size(summary.reclaimable_bytes)} can be won back"
    return (
        ("Server", server),
        ("Seen", f"{moment(report.generated_at)}, in {report.duration_seconds:.1f} s"),
        ("Cost", cost),
        ("Indexes", f"{indexes}, {sizes}"),
        ("Of these", _counts(report)),
    )


def _counts(report: IndexReport) -> str:
    summary: Summary = report.summary
    droppable = sum(index.droppable for index in report.unused_indexes)
    parts = (
        (summary.missing_indexes, "missing"),
        (summary.drifted_indexes, "drifted"),
        (summary.invalid_indexes, "invalid"),
        (summary.duplicate_indexes, "duplicate"),
        (summary.unused_indexes, f"unused ({droppable:,} can be dropped)"),
        (summary.bloated_indexes, "bloated"),
        (summary.oversized_indexes, "oversized"),
    )
    return ", ".join(f"{number:,} {word}" for number, word in parts if number) or "none that needs attention"


def _closing(report: IndexReport, place: str) -> Iterator[Block]:
    facts = [("Report", place)]
    if any(finding.action for finding in report.findings):
        facts.append(("Statements", "--sql FILE writes them as a script for psql; nothing has been executed"))
    yield Heading("More")
    yield Facts(tuple(facts))
