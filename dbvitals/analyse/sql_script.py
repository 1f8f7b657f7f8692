"""The statements of a report as one script that psql runs as it stands. The tool itself runs none of it."""

from dbvitals.analyse.index_report import IndexReport
from dbvitals.analyse.sql_text import comment
from dbvitals.model import Action, Finding

_HEADER = """\
-- Statements proposed by dbvitals {version} for {target}, seen {seen}.
-- Read each one before you run it. Run with:  psql -X -v ON_ERROR_STOP=1 -f THIS_FILE
-- Not inside a transaction: CREATE, DROP and REINDEX INDEX CONCURRENTLY refuse to run in one.
-- An undo brings an index back, but not its comment nor its columns' statistics targets.
"""

_FOOTER = """\
RESET lock_timeout;
RESET statement_timeout;
"""


def render_script(report: IndexReport) -> str:
    """All statements, worst finding first, each with its reason, its lock and its undo.

    An index that two findings speak of gets the statement of the worse one only: after a drop there is nothing to
    rebuild. The next report speaks of what is left.
    """
    target = f"{report.target.host}:{report.target.port}/{report.target.database}"
    header = _HEADER.format(
        version=report.tool.version, target=comment(target)[3:], seen=report.generated_at.isoformat()
    )
    blocks, treated = [], set[tuple[str, str]]()
    for finding in report.findings:
        subject = (finding.subject.schema, finding.subject.name)
        if finding.action is not None and subject not in treated:
            treated.add(subject)
            blocks.append(_block(finding, finding.action))
    if not blocks:
        return f"{header}\n-- Nothing to do.\n"
    waits = "SET lock_timeout = '5s';\nSET statement_timeout = 0;\n"
    return "\n".join([header, waits, *blocks, _FOOTER])


def _block(finding: Finding, action: Action) -> str:
    subject = f"{finding.subject.schema}.{finding.subject.name}" + (
        f" on {finding.subject.table}" if finding.subject.table else ""
    )
    lines = [
        comment(f"{finding.rule} {finding.severity.upper()} {subject}: {finding.message}"),
        *(comment(f"  {item.name}: {item.value} {item.unit}".rstrip()) for item in finding.evidence),
        comment(f"  lock: {action.lock}; {action.takes}"),
    ]
    if action.undo is not None:
        lines.extend(comment(f"  undo: {line}") for line in action.undo.splitlines())
    return "\n".join([*lines, _with_lock_timeout(action.statement), ""])


def _with_lock_timeout(statement: str) -> str:
    """RESET would bring the session's default back, not the script's own limit."""
    return statement.replace("RESET lock_timeout;", "SET lock_timeout = '5s';")
