"""Indexes that the workload misses: a first, careful reading of pg_stat_statements with PostgreSQL's own parser.

Only the clear case is reported: a statement that runs often and slowly compares columns of one large table with
values, and no index of that table leads with any of them. Statement texts stay in here.
"""

from dataclasses import dataclass
from typing import Any

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.index_semantics import usable
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.snapshot import ColumnInfo, IndexInfo, StatementStat, TableInfo

_MAX_KEY_COLUMNS = 4
_SELECTIVE = 0.05
"""Share of the table that a comparison may leave over for an index on it to be worth its writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadNeed:
    """An index that a statement asks for. `keys` are columns with their direction; times are milliseconds."""

    table: TableInfo
    columns: tuple[ColumnInfo, ...]
    descending: tuple[bool, ...]
    queryids: tuple[int, ...]
    calls: int
    mean_ms: float
    total_ms: float


def parser_available() -> bool:
    """Whether the `sql` extra is installed."""
    try:
        import pglast  # noqa: F401
    except ImportError:
        return False
    return True


def find_needs(
    catalog: Catalog, thresholds: IndexThresholds, planned: tuple[IndexInfo, ...] = ()
) -> tuple[WorkloadNeed, ...]:
    """Needs of the recorded statements that neither an existing index nor a `planned` one serves; most time first."""
    needs: dict[tuple[int, tuple[str, ...]], WorkloadNeed] = {}
    for statement in catalog.snapshot.statements:
        mean = statement.total_ms / max(1, statement.calls)
        if statement.calls < thresholds.workload_min_calls or mean < thresholds.workload_min_mean_ms:
            continue
        need = _need(catalog, statement, thresholds, planned)
        if need is not None:
            key = (need.table.oid, tuple(column.name for column in need.columns))
            needs[key] = _merged(needs[key], need) if key in needs else need
    return tuple(sorted(_longest(needs), key=lambda n: (-n.total_ms, n.table.schema, n.table.name)))


def _merged(a: WorkloadNeed, b: WorkloadNeed) -> WorkloadNeed:
    calls, total = a.calls + b.calls, a.total_ms + b.total_ms
    return WorkloadNeed(
        table=a.table,
        columns=a.columns,
        descending=a.descending,
        queryids=tuple(sorted({*a.queryids, *b.queryids})),
        calls=calls,
        mean_ms=total / calls,
        total_ms=total,
    )


def _longest(needs: dict[tuple[int, tuple[str, ...]], WorkloadNeed]) -> list[WorkloadNeed]:
    """Without those whose columns lead a longer one's."""
    return [
        need
        for (oid, names), need in needs.items()
        if not any(o == oid and len(n) > len(names) and n[: len(names)] == names for o, n in needs)
    ]


def _need(
    catalog: Catalog, statement: StatementStat, thresholds: IndexThresholds, planned: tuple[IndexInfo, ...]
) -> WorkloadNeed | None:
    shape = _shape(statement.query)
    table = _table(catalog, shape) if shape else None
    if shape is None or table is None or max(table.row_estimate, table.live_tuples) < thresholds.workload_min_rows:
        return None
    columns = {column.name: column for column in catalog.tables[table.oid].columns}
    equal = _selective(shape.equal, columns, table)
    own = (*catalog.indexes_of.get(table.oid, ()), *(i for i in planned if i.table_oid == table.oid))
    if not equal or table.locked or table.seq_scans == 0 or any(_leads_with(i, shape.equal) for i in own):
        return None
    tail = [(n, d) for n, d in shape.order or [(n, False) for n in shape.ranges[:1]] if n in columns and n not in equal]
    keys = [*((name, False) for name in equal), *tail][:_MAX_KEY_COLUMNS]
    return WorkloadNeed(
        table=table,
        columns=tuple(columns[name] for name, _ in keys),
        descending=tuple(descending for _, descending in keys),
        queryids=(statement.queryid,),
        calls=statement.calls,
        mean_ms=statement.total_ms / statement.calls,
        total_ms=statement.total_ms,
    )


def _leads_with(index: IndexInfo, names: tuple[str, ...]) -> bool:
    return usable(index) and any(key.column in names for key in index.keys[: 1 if index.method == "btree" else None])


def _selective(names: tuple[str, ...], columns: dict[str, ColumnInfo], table: TableInfo) -> list[str]:
    """The compared columns, most distinct values first; none when all together leave too much of the table over."""
    rows = max(table.row_estimate, table.live_tuples, 1.0)
    distinct: dict[str, float] = {}
    for name in names:
        statistics = columns[name].statistics if name in columns else None
        if statistics is not None:
            count = statistics.n_distinct if statistics.n_distinct >= 0 else -statistics.n_distinct * rows
            distinct[name] = max(count, 1.0)
    ordered = sorted((n for n, count in distinct.items() if count > 1), key=lambda n: (-distinct[n], n))
    return ordered if ordered and 1 / distinct[ordered[0]] <= _SELECTIVE else []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What a statement on a single table compares and sorts by."""

    schema: str | None
    table: str
    equal: tuple[str, ...]
    ranges: tuple[str, ...]
    order: tuple[tuple[str, bool], ...]


def _table(catalog: Catalog, shape: _Shape) -> TableInfo | None:
    named = [
        table
        for table in catalog.roots
        if table.name == shape.table and (shape.schema is None or table.schema == shape.schema)
    ]
    return named[0] if len(named) == 1 else None


def _shape(query: str) -> _Shape | None:
    """The shape of a statement over one table joined by AND; None for anything else."""
    from pglast import ast, parse_sql
    from pglast.parser import ParseError

    try:
        parsed: Any = parse_sql(query)
    except (ParseError, UnicodeError):
        return None
    statement = parsed[0].stmt if len(parsed) == 1 else None
    if isinstance(statement, ast.SelectStmt):
        tables: Any = statement.fromClause or ()
        order = _order(statement)
    elif isinstance(statement, ast.UpdateStmt | ast.DeleteStmt):
        tables = (statement.relation,)
        order = ()
    else:
        return None
    if len(tables) != 1 or not isinstance(tables[0], ast.RangeVar) or statement.whereClause is None:
        return None
    equal, ranges = _comparisons(statement.whereClause)
    return _Shape(schema=tables[0].schemaname, table=str(tables[0].relname), equal=equal, ranges=ranges, order=order)


def _order(statement: Any) -> tuple[tuple[str, bool], ...]:
    from pglast.enums import SortByDir

    if statement.limitCount is None:
        return ()
    keys = []
    for item in statement.sortClause or ():
        name = _column(item.node)
        if name is None:
            return ()
        keys.append((name, item.sortby_dir == SortByDir.SORTBY_DESC))
    return tuple(keys)


def _comparisons(node: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns compared with values by = (or = ANY, IN), and those compared by <, <=, >, >= or BETWEEN."""
    from pglast import ast
    from pglast.enums import A_Expr_Kind, BoolExprType

    joined = isinstance(node, ast.BoolExpr) and node.boolop == BoolExprType.AND_EXPR
    terms: Any = node.args if joined else (node,)
    equal, ranges = [], []
    for term in terms:
        if not isinstance(term, ast.A_Expr) or (name := _column(term.lexpr)) is None or _mentions_column(term.rexpr):
            continue
        name_parts: Any = term.name
        operator = name_parts[-1].sval
        kinds = (A_Expr_Kind.AEXPR_OP, A_Expr_Kind.AEXPR_OP_ANY, A_Expr_Kind.AEXPR_IN)
        if operator == "=" and term.kind in kinds:
            equal.append(name)
        elif operator in {"<", "<=", ">", ">=", "BETWEEN"}:
            ranges.append(name)
    return tuple(dict.fromkeys(equal)), tuple(dict.fromkeys(ranges))


def _column(node: Any) -> str | None:
    from pglast import ast

    if not isinstance(node, ast.ColumnRef):
        return None
    fields: Any = node.fields
    return str(fields[-1].sval) if isinstance(fields[-1], ast.String) else None


def _mentions_column(node: Any) -> bool:
    from pglast import ast
    from pglast.visitors import Visitor

    class Finder(Visitor):
        found = False

        def visit_ColumnRef(self, ancestors: Any, node: Any) -> None:  # noqa: N802
            self.found = True

    if isinstance(node, ast.ColumnRef):
        return True
    finder = Finder()
    for part in node if isinstance(node, tuple) else (node,):
        if isinstance(part, ast.Node):
            finder(part)
    return finder.found
