"""The pages of a connection report: the overview for a terminal, and the whole for Markdown and HTML."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dbvitals.analyse.connection_report import ConnectionReport, Summary, Watched
from dbvitals.model import Finding, Severity
from dbvitals.render.connection_sections import sections, statements
from dbvitals.render.document import Block, Column, Document, Facts, Heading, Notice, Paragraph, Table, Tally
from dbvitals.render.text import count, moment, percent, plural

OVERVIEW_ROWS = 10
PAGE_ROWS = 500


def overview(report: ConnectionReport, place: str) -> Document:
    """Lay out figures, what could not be seen, findings, and who stands out; `place` is where the report is."""
    closing = (Heading("More"), Facts((("Report", place), *_where_statements_are(report))))
    blocks = (*_head(report, OVERVIEW_ROWS), *sections(report, OVERVIEW_ROWS), *closing)
    return Document(title=_title(report), blocks=blocks)


def whole(report: ConnectionReport) -> Document:
    """Lay out all of the overview in full, with the statements."""
    blocks = (*_head(report, PAGE_ROWS), *sections(report, PAGE_ROWS), *statements(report, PAGE_ROWS))
    return Document(title=_title(report), blocks=blocks)


def _where_statements_are(report: ConnectionReport) -> tuple[tuple[str, str], ...]:
    """Not on this page: a screen breaks lines, and a statement that is broken within a literal ends nothing."""
    if not any(found.action for found in report.findings):
        return ()
    return (("Statements", "of the findings: in the report, and in --format markdown; nothing was run"),)


def _title(report: ConnectionReport) -> str:
    return f"Connections of {report.target.database}"


def _head(report: ConnectionReport, limit: int) -> Iterator[Block]:
    yield Facts(tuple(_facts(report)))
    counts = Counter(finding.severity for finding in report.findings)
    yield Tally(tuple((severity, counts[severity]) for severity in Severity))
    if report.incomplete:
        yield Heading("This report is incomplete")
        for skipped in report.incomplete:
            yield Notice("NOT SEEN", Severity.HIGH, f"{skipped.part}: {skipped.why}; to mend it: {skipped.mend}")
    if report.recommendations:
        yield Heading("What to do")
        for advice in report.recommendations:
            yield Notice(advice.severity.upper(), advice.severity, f"{advice.message}. {advice.action}")
    yield Heading("Findings, worst first")
    if report.findings:
        yield _findings(report.findings, limit)
    else:
        yield Paragraph("Nothing was found in what could be seen." if report.incomplete else "Nothing was found.")


def _facts(report: ConnectionReport) -> Iterator[tuple[str, str]]:
    target, summary = report.target, report.summary
    place = f"{target.host}:{target.port}"
    yield "Server", f"PostgreSQL {target.server_version} on {place}, {target.role}, as {target.user}"
    yield "Seen", f"{moment(report.generated_at)}, in {report.duration_seconds:.1f} s"
    yield "Pool", _pool(report)
    yield "Connections", _states(summary)
    lock, pool = count(summary.blocked_connections), count(summary.waiting_connections)
    yield "Waiting", f"{lock} for a lock, {pool} for a connection"
    taken, most = count(summary.server_connections), count(summary.server_max_connections)
    yield "Server in all", f"{taken} of {most} connections"
    if report.watched:
        yield "Watched", _watched(report.watched)
    else:
        cost = f"{plural(report.cost.statements, 'statement')}, answered in {report.cost.query_seconds * 1000:.0f} ms"
        yield "Cost", cost


def _states(summary: Summary) -> str:
    parts = (
        f"{count(summary.total_connections)}: {count(summary.active_connections)} active",
        f"{count(summary.idle_connections)} idle",
        f"{count(summary.idle_in_transaction)} idle in transaction",
        f"{count(summary.other_connections)} other",
    )
    return ", ".join(parts)


def _watched(watched: Watched) -> str:
    looks = f"{watched.seconds:.0f} s, {plural(watched.probes, 'look')}, {watched.probes_per_second:.1f} a second"
    cost = f"{_share(watched.server_core_percent)} of a core on the server, {_share(watched.client_core_percent)} here"
    return f"{looks}: {cost}" + ("; slowed down to stay cheap" if watched.slowed_down else "")


def _share(value: float | None) -> str:
    return "an unknown share" if value is None else f"{value:.2f} %"


def _pool(report: ConnectionReport) -> str:
    summary = report.summary
    sizes = f"{summary.pool_size_configured} + {summary.max_overflow_configured}"
    if summary.pool_capacity is None:
        return f"{sizes}: without limit"
    peak = (
        f", {percent(summary.peak_utilization_percent)} at the peak"
        if summary.peak_utilization_percent is not None
        else ""
    )
    fleet = ""
    if report.fleet and report.fleet.processes > 1:
        fleet = f" in {report.fleet.processes} processes ({report.fleet.processes_from})"
    return (
        f"{sizes}{fleet}, {summary.pool_capacity} in all: {percent(summary.pool_utilization_percent)} open{peak}, "
        f"{percent(summary.pool_busy_percent)} busy"
    )


def _findings(findings: Sequence[Finding], limit: int) -> Table:
    columns = (
        Column(title="Severity"),
        Column(title="About"),
        Column(title="Finding", flexible=True),
        Column(title="Rule", priority=1),
    )
    rows = tuple((found.severity, found.subject.name, found.message, found.rule) for found in findings[:limit])
    return Table(columns=columns, rows=rows, left_out=max(0, len(findings) - limit))
