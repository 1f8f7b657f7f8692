"""The sections of an index report as tables: one function a section, each empty when nothing was found."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from dbvitals.analyse.index_report import IndexReport, TableStatistics
from dbvitals.model import Severity
from dbvitals.render.document import Block, Cell, Column, Heading, Statements, Table
from dbvitals.render.text import count, days, moment, percent, relation, size

NAME = Column(title="Index", flexible=True)
TABLE = Column(title="Table", flexible=True, priority=2)
SIZE = Column(title="Size", right=True)


def _table(columns: tuple[Column, ...], rows: Sequence[tuple[Cell, ...]], limit: int) -> Table:
    return Table(columns=columns, rows=tuple(rows[:limit]), left_out=max(0, len(rows) - limit))


def missing(report: IndexReport, limit: int) -> Table:
    """List what is declared and absent, wanted behind foreign keys, or wanted by the workload."""
    rows: list[tuple[Cell, ...]] = [
        (
            Severity(item.priority),
            relation(item.schema, item.table),
            item.columns,
            item.index_name,
            item.reason,
        )
        for item in report.missing_indexes
    ]
    columns = (
        Column(title="Priority"),
        Column(title="Table", flexible=True),
        Column(title="Columns", flexible=True),
        Column(title="Index", flexible=True, priority=1),
        Column(title="Why", flexible=True, priority=2),
    )
    return _table(columns, rows, limit)


def drifted(report: IndexReport, limit: int) -> Table:
    """List what is there, but not as declared."""
    rows: list[tuple[Cell, ...]] = [
        (item.index, relation(item.schema, item.table), "; ".join(item.differences)) for item in report.drifted_indexes
    ]
    return _table((NAME, TABLE, Column(title="Difference", flexible=True)), rows, limit)


def duplicates(report: IndexReport, limit: int) -> Table:
    """List indexes whose work another one does."""
    rows: list[tuple[Cell, ...]] = [
        (item.index, item.kept_index, item.kind, size(item.size_bytes), item.reason)
        for item in report.duplicate_indexes
    ]
    columns = (
        NAME,
        Column(title="Served by", flexible=True),
        Column(title="Kind", priority=1),
        SIZE,
        Column(title="Why", flexible=True, priority=2),
    )
    return _table(columns, rows, limit)


def unused(report: IndexReport, limit: int) -> Table:
    """List indexes without a scan on any node seen, and whether that allows to drop them."""
    rows: list[tuple[Cell, ...]] = [
        (
            item.index,
            relation(item.schema, item.table),
            size(item.size_bytes),
            days(item.observed_days),
            "can be dropped" if item.droppable else "keep: " + ", ".join(item.kept_because).replace("_", " "),
        )
        for item in report.unused_indexes
    ]
    columns = (
        NAME,
        TABLE,
        SIZE,
        Column(title="Observed", right=True, priority=1),
        Column(title="Verdict", flexible=True),
    )
    return _table(columns, rows, limit)


def invalid(report: IndexReport, limit: int) -> Table:
    """List indexes that queries cannot use."""
    rows: list[tuple[Cell, ...]] = [
        (
            item.index,
            relation(item.schema, item.table),
            "being built" if item.building else item.state,
            size(item.size_bytes),
            item.reason,
        )
        for item in report.invalid_indexes
    ]
    columns = (NAME, TABLE, Column(title="State"), SIZE, Column(title="Why", flexible=True, priority=1))
    return _table(columns, rows, limit)


def bloated(report: IndexReport, limit: int) -> Table:
    """List B-trees that are larger than fresh ones would be."""
    rows: list[tuple[Cell, ...]] = [
        (
            item.index,
            relation(item.schema, item.table),
            size(item.size_bytes),
            size(item.expected_bytes),
            percent(item.bloat_percent),
        )
        for item in report.bloated_indexes
    ]
    columns = (
        NAME,
        TABLE,
        SIZE,
        Column(title="Fresh, about", right=True, priority=1),
        Column(title="Bloat", right=True),
    )
    return _table(columns, rows, limit)


def oversized(report: IndexReport, limit: int) -> Table:
    """List indexes above the size to review."""
    rows: list[tuple[Cell, ...]] = [
        (item.index, size(item.size_bytes), size(item.table_bytes), count(item.scans), item.question)
        for item in report.oversized_indexes
    ]
    columns = (
        NAME,
        SIZE,
        Column(title="Its table", right=True, priority=2),
        Column(title="Scans", right=True, priority=1),
        Column(title="To ask", flexible=True),
    )
    return _table(columns, rows, limit)


_SECTIONS: tuple[tuple[str, Callable[[IndexReport, int], Table]], ...] = (
    ("Missing indexes", missing),
    ("Drifted from the declaration", drifted),
    ("Invalid indexes", invalid),
    ("Duplicate indexes", duplicates),
    ("Unused indexes", unused),
    ("Bloated indexes", bloated),
    ("Oversized indexes", oversized),
)


def sections(report: IndexReport, limit: int) -> Iterator[Block]:
    """Give the sections that have rows, at most `limit` rows each."""
    for title, section in _SECTIONS:
        yield from _shown(title, section(report, limit))


def _shown(title: str, table: Table) -> Iterator[Block]:
    if table.rows:
        yield Heading(title)
        yield table


def statements(report: IndexReport, limit: int) -> Iterator[Block]:
    """Give the SQL of the findings' actions, worst first; nothing when there is none."""
    texts = (finding.action.statement for finding in report.findings if finding.action and finding.action.statement)
    shown = tuple(islice(dict.fromkeys(texts), limit))
    if shown:
        yield Heading("Statements")
        yield Statements(shown)


def inventory(report: IndexReport, limit: int) -> Iterator[Block]:
    """Give every index and every table."""
    yield from _shown("Existing indexes", existing(report, limit))
    yield from _shown("Tables", tables(report, limit))


def existing(report: IndexReport, limit: int) -> Table:
    """List every index with its keys, size and use."""
    rows: list[tuple[Cell, ...]] = [
        (
            item.index,
            relation(item.schema, item.table),
            ", ".join(item.columns),
            item.method,
            _role(item.primary, item.unique),
            size(item.size_bytes),
            count(item.scans),
        )
        for item in report.existing_indexes
    ]
    columns = (
        NAME,
        TABLE,
        Column(title="Keys", flexible=True),
        Column(title="Method", priority=4),
        Column(title="Role", priority=3),
        SIZE,
        Column(title="Scans", right=True),
    )
    return _table(columns, rows, limit)


def _role(primary: bool, unique: bool) -> str:
    if primary:
        return "primary key"
    return "unique" if unique else ""


def tables(report: IndexReport, limit: int) -> Table:
    """List every table with its size and traffic."""
    columns = (
        Column(title="Table", flexible=True),
        Column(title="Rows, about", right=True),
        Column(title="Total", right=True),
        Column(title="Indexes", right=True),
        Column(title="Seq scans", right=True, priority=1),
        Column(title="Index scans", right=True, priority=1),
        Column(title="Writes", right=True, priority=2),
        Column(title="Dead rows", right=True, priority=3),
        Column(title="Last vacuum", priority=4),
        Column(title="Last analyze", priority=4),
    )
    return _table(columns, [_table_row(item) for item in report.table_statistics], limit)


def _table_row(item: TableStatistics) -> tuple[Cell, ...]:
    vacuums = [time for time in (item.last_vacuum, item.last_autovacuum) if time]
    analyzes = [time for time in (item.last_analyze, item.last_autoanalyze) if time]
    return (
        relation(item.schema, item.table),
        count(item.row_estimate if item.row_estimate >= 0 else None),
        size(item.total_bytes),
        size(item.index_bytes),
        count(item.seq_scans),
        count(item.idx_scans),
        count(item.inserts + item.updates + item.deletes),
        count(item.dead_tuples),
        moment(max(vacuums)) if vacuums else "never",
        moment(max(analyzes)) if analyzes else "never",
    )
