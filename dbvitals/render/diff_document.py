"""What changed between two index reports, as a page."""

from collections.abc import Iterator, Sequence

from dbvitals.analyse.report_diff import ChangedFinding, IndexName, IndexReportDiff
from dbvitals.model import Finding
from dbvitals.render.document import Block, Column, Document, Facts, Heading, Paragraph, Table
from dbvitals.render.index_document import PAGE_ROWS, findings_table
from dbvitals.render.text import moment, relation, size


def diff_document(diff: IndexReportDiff) -> Document:
    """Lay out what is new, gone or judged differently, then which indexes came, went or changed size."""
    span = Facts((("From", moment(diff.old_generated_at)), ("To", moment(diff.new_generated_at))))
    changes = tuple(_changes(diff)) or (Paragraph("Nothing has changed."),)
    return Document(title="What changed in the indexes", blocks=(span, *changes))


def _changes(diff: IndexReportDiff) -> Iterator[Block]:
    yield from _findings("New findings", diff.appeared)
    yield from _changed(diff.changed)
    yield from _findings("Findings that are gone", diff.gone)
    yield from _names("Indexes added", diff.indexes_added)
    yield from _names("Indexes removed", diff.indexes_removed)
    yield from _resized(diff)


def _findings(title: str, findings: Sequence[Finding]) -> Iterator[Block]:
    if findings:
        yield Heading(title)
        yield findings_table(findings, PAGE_ROWS)


def _changed(pairs: Sequence[ChangedFinding]) -> Iterator[Block]:
    if not pairs:
        return
    yield Heading("Findings judged differently")
    columns = (
        Column(title="Was"),
        Column(title="Is"),
        Column(title="About", flexible=True),
        Column(title="Finding", flexible=True),
        Column(title="Rule", priority=1),
    )
    rows = tuple(
        (
            pair.old.severity,
            pair.new.severity,
            relation(pair.new.subject.schema, pair.new.subject.name),
            pair.new.message,
            pair.new.rule,
        )
        for pair in pairs
    )
    yield Table(columns=columns, rows=rows)


def _names(title: str, names: Sequence[IndexName]) -> Iterator[Block]:
    if names:
        yield Heading(title)
        columns = (Column(title="Index", flexible=True), Column(title="Table", flexible=True))
        rows = tuple((name.index, relation(name.schema, name.table)) for name in names)
        yield Table(columns=columns, rows=rows)


def _resized(diff: IndexReportDiff) -> Iterator[Block]:
    if diff.indexes_resized:
        yield Heading("Indexes that changed their size")
        columns = (
            Column(title="Index", flexible=True),
            Column(title="Table", flexible=True, priority=1),
            Column(title="Was", right=True),
            Column(title="Is", right=True),
        )
        rows = tuple(
            (index.index, relation(index.schema, index.table), size(index.old_bytes), size(index.new_bytes))
            for index in diff.indexes_resized
        )
        yield Table(columns=columns, rows=rows)
