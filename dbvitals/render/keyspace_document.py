"""The pages of a cache report: the overview for a terminal, and the whole for Markdown and HTML."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dbvitals.analyse.keyspace_report import CacheReport, CacheSummary, PatternReport
from dbvitals.analyse.keyspace_words import duration, since
from dbvitals.model import Finding, Severity
from dbvitals.render.document import Block, Cell, Column, Document, Facts, Heading, Notice, Paragraph, Table, Tally
from dbvitals.render.text import UNKNOWN, count, moment, plural, size

OVERVIEW_ROWS = 15
"""Rows of a table in the overview: the seven declared patterns and the largest others fit."""

PAGE_ROWS = 500
"""Rows of a table on a whole page: what a browser and a person still scroll through."""

LARGEST_ROWS = 25
"""The largest keys of all; each pattern's own are in the report."""

BAR = 10
"""Cells of a full bar."""


def overview(report: CacheReport, place: str) -> Document:
    """Lay out the figures, what could not be seen, findings and patterns; `place` is where the report is."""
    blocks = (*_head(report, OVERVIEW_ROWS), *_sections(report, OVERVIEW_ROWS), *_closing(place))
    return Document(title=_title(report), blocks=blocks)


def whole(report: CacheReport) -> Document:
    """Lay out all of the overview in full, with the largest keys and the nodes."""
    blocks = (*_head(report, PAGE_ROWS), *_sections(report, PAGE_ROWS), *_inventory(report))
    return Document(title=_title(report), blocks=blocks)


def cache_findings_table(findings: Sequence[Finding], limit: int) -> Table:
    """Make a table of findings as they come."""
    columns = (
        Column(title="Severity"),
        Column(title="About", flexible=True),
        Column(title="Finding", flexible=True),
        Column(title="To do", flexible=True, priority=2),
        Column(title="Rule", priority=1),
    )
    rows = tuple(
        (
            finding.severity,
            finding.subject.name,
            finding.message,
            " ".join(filter(None, (finding.action.summary, finding.action.statement))) if finding.action else "",
            finding.rule,
        )
        for finding in findings[:limit]
    )
    return Table(columns=columns, rows=rows, left_out=max(0, len(findings) - limit))


def bar(percent: float) -> str:
    """A share as a bar of blocks; what is not nothing shows."""
    cells = max(1 if percent > 0 else 0, round(min(100.0, percent) / 100 * BAR))
    return "█" * cells + "░" * (BAR - cells)


def ratio(share: float | None) -> str:
    """A ratio 0..1 in percent; none when nobody read."""
    return "no reads" if share is None else f"{100 * share:.1f} %"


def _title(report: CacheReport) -> str:
    target = report.target
    place = target.host if _is_dump(report) else f"{target.host}:{target.port}"
    return f"Cache of {place}, database {target.database}"


def _is_dump(report: CacheReport) -> bool:
    return report.summary.coverage.mode == "rdb"


def _head(report: CacheReport, limit: int) -> Iterator[Block]:
    yield Facts(_facts(report))
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


def _facts(report: CacheReport) -> tuple[tuple[str, str], ...]:
    target, summary = report.target, report.summary
    seen = f"{moment(report.generated_at)}, in {report.duration_seconds:.1f} s"
    keys = f"{summary.total_keys:,}, of which {summary.keys_without_ttl:,} without TTL; {_coverage(summary)}"
    if _is_dump(report):
        return (
            ("Dump", f"{target.host}, written by {target.server_version}"),
            ("Seen", seen),
            ("Keys", keys),
            ("Memory", f"{size(report.memory.measured_bytes)} for the keys"),
        )
    server = f"{target.server_version} on {target.host}:{target.port}, {target.role}, as {target.user}"
    return (
        ("Server", server + (f", {len(report.nodes)} nodes" if len(report.nodes) > 1 else "")),
        ("Seen", seen),
        ("Keys", keys),
        ("Hit ratio", _hit_ratio(summary)),
        ("Memory", _memory(report)),
        ("Gone", f"{plural(summary.evicted_keys, 'key')} evicted, {summary.expired_keys:,} expired"),
    )


def _coverage(summary: CacheSummary) -> str:
    coverage = summary.coverage
    server = "" if coverage.seconds_on_server is None else f", {coverage.seconds_on_server:.2f} s of the server's time"
    slow = f", held back {plural(coverage.slowed_down, 'time')}" if coverage.slowed_down else ""
    error = f", ± {coverage.error_percent:.1f} points" if coverage.mode == "sample" else ""
    return (
        f"{coverage.confidence}{error} ({plural(coverage.keys_seen, 'key')} in {coverage.seconds:.1f} s{server}{slow})"
    )


def _hit_ratio(summary: CacheSummary) -> str:
    reads, span = summary.hits + summary.misses, since(summary.window.source, summary.window.seconds)
    if summary.hit_ratio is None or summary.hit_ratio_interval is None:
        return f"no reads {span}"
    low, high = summary.hit_ratio_interval
    own = summary.window.own_hits + summary.window.own_misses
    mine = f", without {own:,} of our own" if own else ""
    if summary.window.source == "start":
        mine = "; what earlier runs of ours read counts as well, --window 1min leaves it out"
    share = f"{ratio(summary.hit_ratio)} ({100 * low:.1f} to {100 * high:.1f})"
    return f"{share} of {reads:,} reads {span}{mine}"


def _memory(report: CacheReport) -> str:
    summary, memory = report.summary, report.memory
    limit = f"of {size(summary.maxmemory_bytes)}" if summary.maxmemory_bytes else "without limit"
    rest = "" if memory.unaccounted_bytes is None else f", {size(memory.unaccounted_bytes)} beside them"
    keys = f"keys measured {size(memory.measured_bytes)}{rest}"
    return f"{size(summary.used_memory_bytes)} {limit}, {summary.maxmemory_policy}; {keys}"


def _sections(report: CacheReport, limit: int) -> Iterator[Block]:
    yield Heading("Patterns")
    yield _patterns(report, limit)
    if len(report.tenants) > 1:
        yield Heading("Tenants, largest first")
        yield _tenants(report, limit)


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
    misses = [("" if one.misses is None else count(one.misses),) if missed else () for one in report.patterns]
    rows = tuple(
        _pattern(one, in_vain, longest) for one, in_vain in zip(report.patterns[:limit], misses[:limit], strict=True)
    )
    return Table(columns=columns, rows=rows, left_out=max(0, len(report.patterns) - limit))


def _pattern(one: PatternReport, in_vain: tuple[Cell, ...], longest: float) -> tuple[Cell, ...]:
    error = "" if one.memory_error_percent is None else f" ± {one.memory_error_percent:.1f}"
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
        f"{bar(one.memory_percent)} {one.memory_percent:.0f} %{error}",
        "" if one.hit_ratio is None else ratio(one.hit_ratio),
        ", ".join(_share_of(name, share) for name, share in sorted(one.types.items(), key=lambda item: -item[1])),
        one.description,
    )


def _share_of(name: str, share: float) -> str:
    return name if share == 1 else f"{name} {100 * share:.0f} %"


def _seconds(number: float | None) -> str:
    return "" if number is None else duration(number)


def _tenants(report: CacheReport, limit: int) -> Table:
    columns = (
        Column(title="Tenant", flexible=True),
        Column(title="Keys", right=True),
        Column(title="Memory", right=True),
        Column(title="Share"),
    )
    rows = tuple(
        (one.tenant, count(one.keys), size(one.memory_bytes), f"{bar(one.memory_percent)} {one.memory_percent:.0f} %")
        for one in report.tenants[: min(limit, 5)]
    )
    return Table(columns=columns, rows=rows, left_out=max(0, len(report.tenants) - len(rows)))


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
            (key.key, pattern, size(key.memory_bytes), key.type or UNKNOWN, key.encoding or UNKNOWN)
            for _, pattern, key in ordered
        )
        yield Table(columns=columns, rows=rows)
    if report.nodes:
        yield Heading("Nodes")
        yield _nodes(report)


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
