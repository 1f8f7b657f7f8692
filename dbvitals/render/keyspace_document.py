"""The pages of a cache report: the overview for a terminal, and the whole for Markdown and HTML."""

from collections import Counter
from collections.abc import Iterator

from dbvitals.analyse.keyspace_report import CacheReport, LargeKey, PatternReport
from dbvitals.analyse.keyspace_words import duration
from dbvitals.model import Severity
from dbvitals.render.document import Block, Cell, Column, Document, Facts, Heading, Notice, Paragraph, Table, Tally
from dbvitals.render.keyspace_facts import facts, ratio, title
from dbvitals.render.keyspace_findings import cache_findings_table
from dbvitals.render.text import UNKNOWN, count, size

OVERVIEW_ROWS = 15
"""Rows of a table in the overview: the seven declared patterns and the largest others fit."""

PAGE_ROWS = 500
"""Rows of a table on a whole page: what a browser and a person still scroll through."""

LARGEST_ROWS = 25
"""The largest keys of all; each pattern's own are in the report."""

TENANT_ROWS = 5
"""Tenants in a table: who has much is among the first."""

BAR = 10
"""Cells of a full bar."""


def overview(report: CacheReport, place: str) -> Document:
    """Lay out the figures, what could not be seen, findings and patterns; `place` is where the report is."""
    blocks = (*_head(report, OVERVIEW_ROWS), *_sections(report, OVERVIEW_ROWS), *_closing(place))
    return Document(title=title(report), blocks=blocks)


def whole(report: CacheReport) -> Document:
    """Lay out all of the overview in full, with the largest keys and the nodes."""
    blocks = (*_head(report, PAGE_ROWS), *_sections(report, PAGE_ROWS), *_inventory(report))
    return Document(title=title(report), blocks=blocks)


def bar(percent: float) -> str:
    """A share as a bar of blocks; what is not nothing shows."""
    cells = max(1 if percent > 0 else 0, round(min(100.0, percent) / 100 * BAR))
    return "█" * cells + "░" * (BAR - cells)


def _head(report: CacheReport, limit: int) -> Iterator[Block]:
    yield Facts(facts(report))
    counts = Counter(finding.severity for finding in report.findings)
    yield Tally(tuple((severity, counts[severity]) for severity in Severity))
    if report.incomplete:
        yield Heading("This report is incomplete")
        for skipped in report.incomplete:
            yield Notice("NOT SEEN", Severity.HIGH, f"{skipped.part}: {skipped.why}; to mend it: {skipped.mend}")
    yield Heading("Findings, worst first")
    if report.findings:
        yield cache_findings_table(report.findings, limit)
    else:
        yield Paragraph("Nothing was found in what could be seen." if report.incomplete else "Nothing was found.")


def _sections(report: CacheReport, limit: int) -> Iterator[Block]:
    yield Heading("Patterns")
    yield _patterns(report, limit)
    if len(report.tenants) > 1:
        yield Heading("Tenants, largest first")
        yield from _tenants(report, limit)


def _patterns(report: CacheReport, limit: int) -> Table:
    missed = any(one.misses for one in report.patterns)
    columns = (
        Column(title="Pattern", flexible=True),
        Column(title="Keys", right=True),
        Column(title="No TTL", right=True),
        *([Column(title="Misses", right=True)] if missed else []),
        Column(title="TTL min", right=True, priority=3),
        Column(title="p50", right=True, priority=2),
        Column(title="max", right=True, priority=1),
        Column(title="TTL", priority=5),
        Column(title="Memory", right=True),
        Column(title="Share", priority=1),
        Column(title="Hit ratio", right=True, priority=2),
        Column(title="Types", flexible=True, priority=4),
        Column(title="What", flexible=True, priority=6),
    )
    longest = max((one.ttl.max or 0.0 for one in report.patterns), default=0.0)
    misses = [(_misses(one),) if missed else () for one in report.patterns]
    rows = tuple(
        _pattern(one, in_vain, longest) for one, in_vain in zip(report.patterns[:limit], misses[:limit], strict=True)
    )
    return Table(columns=columns, rows=rows, left_out=max(0, len(report.patterns) - limit))


def _pattern(one: PatternReport, in_vain: tuple[Cell, ...], longest: float) -> tuple[Cell, ...]:
    return (
        one.pattern,
        count(one.count),
        count(one.no_ttl),
        *in_vain,
        _seconds(one.ttl.min),
        _seconds(one.ttl.p50),
        _seconds(one.ttl.max),
        bar(100 * (one.ttl.p50 or 0.0) / longest) if longest else "",
        size(one.memory_bytes),
        _share(one.memory_percent, one.memory_error_percent),
        "" if one.hit_ratio is None else f"{ratio(one.hit_ratio)}{_within(one)}",
        ", ".join(_share_of(name, share) for name, share in sorted(one.types.items(), key=lambda item: -item[1])),
        one.description,
    )


def _share(percent: float | None, error_percent: float | None = None) -> str:
    """A share of the memory, as far as sizes are known."""
    if percent is None:
        return UNKNOWN
    return f"{bar(percent)} {percent:.0f} %" + ("" if error_percent is None else f" ± {error_percent:.1f}")


def _misses(one: PatternReport) -> str:
    if one.misses is None:
        return ""
    return f"{count(one.misses)}{_within(one)}" if one.hit_ratio is None else count(one.misses)


def _within(one: PatternReport) -> str:
    """Over what time looks were counted; nothing where it is as long as the service runs."""
    return "" if one.counted_seconds is None else f" in {duration(one.counted_seconds)}"


def _share_of(name: str, share: float) -> str:
    return name if share == 1 else f"{name} {100 * share:.0f} %"


def _seconds(number: float | None) -> str:
    return "" if number is None else duration(number)


def _tenants(report: CacheReport, limit: int) -> Iterator[Block]:
    columns = (
        Column(title="Tenant", flexible=True),
        Column(title="Keys", right=True),
        Column(title="Memory", right=True),
        Column(title="Share"),
    )
    rows = tuple(
        (one.tenant, count(one.keys), size(one.memory_bytes), _share(one.memory_percent))
        for one in report.tenants[: min(limit, TENANT_ROWS)]
    )
    kept = len(report.tenants)
    yield Table(columns=columns, rows=rows, left_out=max(0, kept - len(rows)))
    if report.tenants_seen > kept:
        yield Paragraph(f"These are the largest {kept:,} of {report.tenants_seen:,} tenants.")


def _inventory(report: CacheReport) -> Iterator[Block]:
    large = [(key.memory_bytes, one.pattern, key) for one in report.patterns for key in one.largest_keys]
    if large:
        yield Heading("Largest keys")
        columns = (
            Column(title="Key", flexible=True),
            Column(title="Pattern", flexible=True),
            Column(title="Memory", right=True),
            Column(title="Type"),
            Column(title="Encoding", priority=1),
        )
        ordered = sorted(large, key=lambda item: (-item[0], item[1], item[2].key))[:LARGEST_ROWS]
        rows = tuple(
            (key.key, pattern, _key_size(key), key.type or UNKNOWN, key.encoding or UNKNOWN)
            for _, pattern, key in ordered
        )
        yield Table(columns=columns, rows=rows)
    if report.nodes:
        yield Heading("Nodes")
        yield _nodes(report)


def _key_size(key: LargeKey) -> str:
    return size(key.memory_bytes) + (", lopsided" if key.lopsided else "")


def _nodes(report: CacheReport) -> Table:
    columns = (
        Column(title="Node", flexible=True),
        Column(title="Role"),
        Column(title="Version"),
        Column(title="Up for", right=True),
        Column(title="Memory", right=True),
        Column(title="Limit", right=True),
        Column(title="Policy"),
    )
    rows = tuple(
        (
            node.name,
            node.role,
            node.version,
            duration(node.uptime_seconds),
            size(node.used_memory_bytes),
            size(node.maxmemory_bytes) if node.maxmemory_bytes else "none",
            node.maxmemory_policy,
        )
        for node in report.nodes
    )
    return Table(columns=columns, rows=rows)


def _closing(place: str) -> Iterator[Block]:
    yield Heading("More")
    yield Facts((("Report", place),))
