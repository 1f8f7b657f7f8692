"""What a plan does with indexes, in a form that two plans can be compared by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

Node = Mapping[str, Any]
# Plans of one query put them around an expression or not, by the kind of scan.
PARENTHESES = str.maketrans("", "", "()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a query reaches its rows. `conditions` are searched in an index, `filters` are checked row by row."""

    indexes: frozenset[str]
    conditions: frozenset[str]
    filters: frozenset[str]
    sorts: int
    seq_scans: int
    heap_visits: bool

    def at_least_as_good_as(self, other: "Access") -> bool:
        """Whether this plan asks no more of the server than the other: sorts, filters, heap visits, full scans."""
        return (
            other.conditions <= self.conditions
            and self.filters <= other.filters
            and self.sorts <= other.sorts
            and self.seq_scans <= other.seq_scans
            and self.heap_visits <= other.heap_visits
        )


def access(connection: psycopg.Connection[Any], query: str) -> Access:
    """How the planner would run a query with the present indexes."""
    nodes = list(_nodes(_explain(connection, "FORMAT JSON", query)["Plan"]))
    names = {str(node["Index Name"]) for node in nodes if "Index Name" in node}
    scans = [node for node in nodes if node["Node Type"].endswith("Scan")]
    return Access(
        indexes=frozenset(names | _ancestors(connection, names)),
        conditions=_conjuncts(nodes, "Index Cond", "Order By"),
        filters=_conjuncts(scans, "Filter"),
        sorts=sum(node["Node Type"] in {"Sort", "Incremental Sort"} for node in nodes),
        seq_scans=sum(node["Node Type"] == "Seq Scan" for node in nodes),
        heap_visits=any(node["Node Type"] in {"Seq Scan", "Index Scan", "Bitmap Heap Scan"} for node in nodes),
    )


def pages_touched(connection: psycopg.Connection[Any], query: str) -> int:
    """Buffer accesses of a query's second run, when the catalogues are known."""
    connection.execute(query)
    plan = _explain(connection, "ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON", query)["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def rows_expected(connection: psycopg.Connection[Any], query: str) -> int:
    """The planner's estimate of a query's rows."""
    return int(_explain(connection, "FORMAT JSON", query)["Plan"]["Plan Rows"])


def tables_read(connection: psycopg.Connection[Any], query: str) -> int:
    """How many table scans a query's plan holds."""
    return sum("Alias" in node for node in _nodes(_explain(connection, "FORMAT JSON", query)["Plan"]))


def _explain(connection: psycopg.Connection[Any], options: str, query: str) -> Node:
    row = connection.execute(f"EXPLAIN ({options}) {query}").fetchone()
    assert row is not None
    plan: Node = row[0][0]
    return plan


def _nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _conjuncts(nodes: list[Node], *fields: str) -> frozenset[str]:
    texts = (str(node[field]) for node in nodes for field in fields if field in node)
    return frozenset(part for text in texts for part in text.translate(PARENTHESES).split(" AND "))


def _ancestors(connection: psycopg.Connection[Any], names: set[str]) -> set[str]:
    """Partitioned indexes above those of a plan."""
    rows = connection.execute(
        """
        WITH RECURSIVE up AS (
            SELECT i.inhparent FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE c.relname = ANY (%s) AND c.relnamespace = quote_ident(current_schema())::regnamespace
            UNION
            SELECT i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.inhparent
        )
        SELECT c.relname FROM up JOIN pg_class c ON c.oid = up.inhparent
        """,
        [sorted(names)],
    )
    return {str(name) for (name,) in rows}
