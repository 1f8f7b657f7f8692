"""What changed between two cache reports, as a page."""

from collections.abc import Iterator, Sequence

from dbvitals.analyse.keyspace_diff import CacheReportDiff
from dbvitals.model import Finding
from dbvitals.render.document import Block, Column, Document, Facts, Heading, Paragraph, Table
from dbvitals.render.keyspace_document import PAGE_ROWS, cache_findings_table, ratio
from dbvitals.render.text import count, moment, size


def cache_diff_document(diff: CacheReportDiff) -> Document:
    """Lay out what is new or gone, then which patterns grew or shrank."""
    span = Facts(
        (
            ("From", moment(diff.old_generated_at)),
            ("To", moment(diff.new_generated_at)),
            ("Hit ratio", f"{ratio(diff.old_hit_ratio)}, now {ratio(diff.new_hit_ratio)}"),
        )
    )
    changes = tuple(_changes(diff)) or (Paragraph("Nothing has changed."),)
    return Document(title="What changed in the cache", blocks=(span, *changes))


def _changes(diff: CacheReportDiff) -> Iterator[Block]:
    yield from _findings("New findings", diff.appeared)
    yield from _findings("Findings that are gone", diff.gone)
    if diff.patterns:
        yield Heading("Patterns that changed")
        yield _patterns(diff)


def _findings(title: str, findings: Sequence[Finding]) -> Iterator[Block]:
    if findings:
        yield Heading(title)
        yield cache_findings_table(findings, PAGE_ROWS)


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
