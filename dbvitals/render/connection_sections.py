"""The sections of a connection report as tables: one function a section, each empty when there is nothing."""

from collections.abc import Callable, Iterator, Sequence

from dbvitals.analyse.connection_report import Blocker, Connection, ConnectionReport, Range
from dbvitals.render.document import Block, Cell, Column, Heading, Statements, Table
from dbvitals.render.text import UNKNOWN, count

PID = Column(title="Pid", right=True)
APPLICATION = Column(title="Application", priority=2, flexible=True)
QUERY = Column(title="Query", priority=1, flexible=True)


def _table(columns: tuple[Column, ...], rows: Sequence[tuple[Cell, ...]], limit: int) -> Table:
    return Table(columns=columns, rows=tuple(rows[:limit]), left_out=max(0, len(rows) - limit))


def seconds(value: float | None) -> str:
    """A span as people say it: `0.4 s`, `48 s`, `3 min`, `2 h`."""
    if value is None:
        return UNKNOWN
    if value < 120:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.0f} h"


def blocking(report: ConnectionReport, limit: int) -> Table:
    """Draw the trees, roots first, victims below them."""
    columns = (
        Column(title="Who waits for whom"),
        Column(title="State", flexible=True, priority=2),
        Column(title="Waited", right=True),
        Column(title="For, or holds", flexible=True),
        QUERY,
    )
    rows = [_blocker(prefix, node) for prefix, node in tree_lines(report.blocking)]
    return _table(columns, rows, limit)


def tree_lines(trees: Sequence[Blocker]) -> Iterator[tuple[str, Blocker]]:
    """Each node with the branch that leads to it, depth first."""
    waiting = [("", "", tree) for tree in reversed(trees)]
    while waiting:
        branch, indent, node = waiting.pop()
        yield branch, node
        last = len(node.blocks) - 1
        for position, child in reversed(list(enumerate(node.blocks))):
            end = position == last
            waiting.append((indent + ("└ " if end else "├ "), indent + ("  " if end else "│ "), child))


def _blocker(branch: str, node: Blocker) -> tuple[Cell, ...]:
    name = node.gid or (f"{node.pid}" if node.pid else "prepared")
    what = node.waits_for or ("holds " + ", ".join(node.holds) if node.holds else "")
    return (f"{branch}{name}", node.state or node.kind, _waited(node), what, node.query or "")


def _waited(node: Blocker) -> str:
    return "" if node.waits_for is None and node.waited_seconds is None else seconds(node.waited_seconds)


def idle_in_transaction(report: ConnectionReport, limit: int) -> Table:
    """List who has a transaction open and does nothing."""
    columns = (PID, APPLICATION, Column(title="For", right=True), Column(title="State", priority=3), _CODE, QUERY)
    rows: list[tuple[Cell, ...]] = [
        (f"{c.pid}", c.application_name, seconds(c.state_seconds), c.state or UNKNOWN, _site(c), c.query or "")
        for c in report.idle_in_transaction
    ]
    return _table(columns, rows, limit)


_CODE = Column(title="Checked out at", priority=2, flexible=True)


def _site(connection: Connection) -> str:
    held = connection.held_by
    return "" if held is None or held.site is None else held.site + (f" by {held.route}" if held.route else "")


def long_running(report: ConnectionReport, limit: int) -> Table:
    """List the queries that run for too long, and what they wait for."""
    columns = (PID, APPLICATION, Column(title="For", right=True), Column(title="Doing", flexible=True), QUERY)
    rows: list[tuple[Cell, ...]] = [
        (f"{c.pid}", c.application_name, seconds(c.query_seconds), c.activity, c.query or "")
        for c in report.long_running_queries
    ]
    return _table(columns, rows, limit)


def by_state(report: ConnectionReport, limit: int) -> Table:
    """Count the sessions by state; they add up to the total."""
    columns = (
        Column(title="State"),
        Column(title="Connections", right=True),
        Column(title="Longest", right=True),
    )
    rows: list[tuple[Cell, ...]] = [
        (row.state, count(row.connections), "" if row.longest_seconds is None else seconds(row.longest_seconds))
        for row in report.by_state
        if row.connections
    ]
    return _table(columns, rows, limit)


def by_application(report: ConnectionReport, limit: int) -> Table:
    """Count the sessions by application and role."""
    columns = (
        Column(title="Application", flexible=True),
        Column(title="Role", flexible=True),
        Column(title="Total", right=True),
        Column(title="Active", right=True),
        Column(title="Idle", right=True),
        Column(title="In transaction", right=True),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            row.application_name or "(none)",
            row.user or UNKNOWN,
            count(row.total),
            count(row.active),
            count(row.idle),
            count(row.idle_in_transaction),
        )
        for row in report.by_application
    ]
    return _table(columns, rows, limit)


def other_databases(report: ConnectionReport, limit: int) -> Table:
    """Count the clients that are not the pool's."""
    columns = (Column(title="Database", flexible=True), Column(title="Connections", right=True))
    rows: list[tuple[Cell, ...]] = [(row.database, count(row.connections)) for row in report.other_databases]
    return _table(columns, rows, limit)


def samples(report: ConnectionReport, limit: int) -> Table:
    """List the last intervals of the watch: mean and peak."""
    columns = (
        Column(title="From"),
        Column(title="Looks", right=True, priority=1),
        Column(title="Open", right=True),
        Column(title="Active", right=True),
        Column(title="In transaction", right=True),
        Column(title="Blocked", right=True, priority=2),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            f"{row.started_at:%H:%M:%S}",
            count(row.probes),
            span(row.total_connections),
            span(row.active_connections),
            span(row.idle_in_transaction),
            span(row.blocked_connections),
        )
        for row in report.samples[-limit:]
    ]
    return _table(columns, rows, limit)


def span(found: Range | None) -> str:
    """`mean, peak`."""
    return UNKNOWN if found is None else f"{found.mean:.1f}, peak {found.peak:.0f}"


def horizon(report: ConnectionReport, limit: int) -> Table:
    """List who keeps old rows from VACUUM."""
    columns = (Column(title="Who"), Column(title="Name", flexible=True), PID, Column(title="Transactions", right=True))
    rows: list[tuple[Cell, ...]] = [
        (holder.kind, holder.name, str(holder.pid or ""), count(holder.age)) for holder in report.horizon
    ]
    return _table(columns, rows, limit)


def pgbouncer(report: ConnectionReport, limit: int) -> Table:
    """List the pools of PgBouncer."""
    columns = (
        Column(title="PgBouncer", flexible=True, priority=2),
        Column(title="Pool", flexible=True),
        Column(title="Clients", right=True),
        Column(title="Waiting", right=True),
        Column(title="First waits", right=True),
        Column(title="Servers", right=True),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            f"{seen.address} {seen.version}",
            f"{pool.database}/{pool.user}",
            count(pool.clients_active),
            count(pool.clients_waiting),
            seconds(pool.max_wait_seconds),
            f"{count(pool.servers_active)} active, {count(pool.servers_idle)} idle",
        )
        for seen in report.pgbouncer
        for pool in seen.pools
    ]
    return _table(columns, rows, limit)


_SECTIONS: tuple[tuple[str, Callable[[ConnectionReport, int], Table]], ...] = (
    ("Who waits for whom", blocking),
    ("Idle in transaction", idle_in_transaction),
    ("Long queries", long_running),
    ("While watching: mean and peak", samples),
    ("By state", by_state),
    ("By application", by_application),
    ("PgBouncer", pgbouncer),
    ("Who keeps old rows from VACUUM", horizon),
    ("Other clients of the server", other_databases),
)


def sections(report: ConnectionReport, limit: int) -> Iterator[Block]:
    """Every section that has rows, under its heading."""
    for title, section in _SECTIONS:
        table = section(report, limit)
        if table.rows:
            yield Heading(title)
            yield table


def statements(report: ConnectionReport, limit: int) -> Iterator[Block]:
    """The statements of the findings; whoever runs one ends somebody's work."""
    texts = tuple(found.action.statement for found in report.findings if found.action)[:limit]
    if texts:
        yield Heading("Statements, each for one session in one state; nothing was run")
        yield Statements(texts)
