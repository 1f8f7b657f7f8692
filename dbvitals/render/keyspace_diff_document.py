"""What changed between two cache reports, as a page."""

from collections.abc import Iterator, Sequence

from dbvitals.analyse.keyspace_diff import CacheReportDiff
from dbvitals.analyse.report_diff import ChangedFinding
from dbvitals.model import Finding, Severity
from dbvitals.render.document import Block, Column, Document, Facts, Heading, Notice, Paragraph, Table
from dbvitals.render.keyspace_document import PAGE_ROWS
from dbvitals.render.keyspace_facts import ratio
from dbvitals.render.keyspace_findings import advice, cache_findings_table
from dbvitals.render.text import count, moment, size


def cache_diff_document(diff: CacheReportDiff) -> Document:
    """Lay out what is new, changed or gone, then which patterns grew or shrank; before it, what cannot be compared."""
    span = Facts(
        (
            ("From", moment(diff.old_generated_at)),
            ("To", moment(diff.new_generated_at)),
            ("Hit ratio", f"{ratio(diff.old_hit_ratio)}, now {ratio(diff.new_hit_ratio)}"),
        )
    )
    nothing = "What can be compared has not changed." if diff.not_compared else "Nothing has changed."
    changes = tuple(_changes(diff)) or (Paragraph(nothing),)
    return Document(title="What changed in the cache", blocks=(span, *_doubts(diff), *changes))


def _doubts(diff: CacheReportDiff) -> Iterator[Block]:
    for reason in diff.not_compared:
        yield Notice("NOT ALL", Severity.HIGH, reason)
    if diff.not_compared:
        yield Paragraph("So findings that seem to be gone, and patterns of which a part was not seen, are left out.")


def _changes(diff: CacheReportDiff) -> Iterator[Block]:
    yield from _findings("New findings", diff.appeared)
    yield from _changed(diff.changed)
    yield from _findings("Findings that are gone", diff.gone)
    if diff.patterns:
        yield Heading("Patterns that changed")
        yield _patterns(diff)


def _findings(title: str, findings: Sequence[Finding]) -> Iterator[Block]:
    if findings:
        yield Heading(title)
        yield cache_findings_table(findings, PAGE_ROWS)


def _changed(pairs: Sequence[ChangedFinding]) -> Iterator[Block]:
    if not pairs:
        return
    yield Heading("Findings that changed")
    columns = (
        Column(title="Was"),
        Column(title="Is"),
        Column(title="About", flexible=True),
        Column(title="Finding", flexible=True),
        Column(title="Was found", flexible=True, priority=1, below="Finding"),
        Column(title="To do", flexible=True, priority=2, below="Finding"),
        Column(title="Rule", priority=3),
    )
    rows = tuple(
        (
            pair.old.severity,
            pair.new.severity,
            pair.new.subject.name,
            pair.new.message,
            pair.old.message if pair.old.message != pair.new.message else "",
            advice(pair.new),
            pair.new.rule,
        )
        for pair in pairs[:PAGE_ROWS]
    )
    yield Table(columns=columns, rows=rows, left_out=max(0, len(pairs) - PAGE_ROWS))


def _patterns(diff: CacheReportDiff) -> Table:
    columns = (
        Column(title="Pattern", flexible=True),
        Column(title="Keys, was", right=True, priority=1),
        Column(title="Keys", right=True),
        Column(title="No TTL, was", right=True, priority=2),
        Column(title="No TTL", right=True),
        Column(title="Memory, was", right=True, priority=1),
        Column(title="Memory", right=True),
    )
    rows = tuple(
        (
            one.pattern,
            count(one.old_keys),
            count(one.new_keys),
            count(one.old_no_ttl),
            count(one.new_no_ttl),
            size(one.old_bytes),
            size(one.new_bytes),
        )
        for one in diff.patterns
    )
    return Table(columns=columns, rows=rows)
