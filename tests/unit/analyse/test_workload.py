"""What a recorded statement asks for, read by PostgreSQL's own parser. Rule IDX004."""

from typing import Any

import pytest

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.analyse.workload import find_needs
from dbvitals.snapshot import ColumnInfo, ColumnStatistics, IndexInfo, StatementStat, TableInfo
from tests.unit.analyse.builders import index, snapshot, table

DISTINCT = {"id": -1.0, "tenant": 60.0, "guest": -0.3, "state": 3.0, "at": -0.9}


def hotel(**changes: Any) -> TableInfo:
    columns = tuple(
        ColumnInfo(
            attnum=number,
            name=name,
            quoted=name,
            type="text",
            not_null=True,
            statistics=ColumnStatistics(avg_width=8, n_distinct=distinct, null_frac=0.0),
        )
        for number, (name, distinct) in enumerate(DISTINCT.items(), 1)
    )
    made = {"row_estimate": 100_000.0, "live_tuples": 100_000, "seq_scans": 900, "columns": columns}
    return table("sessions", **(made | changes))


def needs(
    query: str, *indexes: IndexInfo, t: TableInfo | None = None, calls: int = 500, mean: float = 20.0
) -> list[Any]:
    statement = StatementStat(queryid=7, query=query, calls=calls, total_ms=calls * mean, rows=1)
    catalog = Catalog(snapshot(t or hotel(), *indexes, statements=(statement,)))
    found = find_needs(catalog, IndexThresholds())
    return [[c.name + (" DESC" if d else "") for c, d in zip(n.columns, n.descending, strict=True)] for n in found]


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("SELECT * FROM sessions WHERE guest = $1", ["guest"]),
        ("SELECT * FROM public.sessions AS s WHERE s.guest = $1 AND s.tenant = $2", ["guest", "tenant"]),
        ("SELECT * FROM sessions WHERE guest = ANY($1)", ["guest"]),
        ("SELECT * FROM sessions WHERE guest IN ($1, $2)", ["guest"]),
        ("SELECT * FROM sessions WHERE guest = $1 ORDER BY at DESC LIMIT $2", ["guest", "at DESC"]),
        ("SELECT * FROM sessions WHERE guest = $1 AND at > $2", ["guest", "at"]),
        ("SELECT * FROM sessions WHERE guest = $1 AND state = $2", ["guest", "state"]),
        ("UPDATE sessions SET state = $1 WHERE guest = $2", ["guest"]),
        ("DELETE FROM sessions WHERE guest = $1", ["guest"]),
    ],
)
def test_compared_columns_are_asked_for(query: str, columns: list[str]) -> None:
    assert needs(query) == [columns]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM sessions WHERE state = $1",  # leaves a third of the table over
        "SELECT * FROM sessions WHERE guest = $1 OR tenant = $2",
        "SELECT * FROM sessions WHERE guest = tenant",
        "SELECT * FROM sessions WHERE lower(guest) = $1",
        "SELECT * FROM sessions s JOIN other o ON o.id = s.id WHERE s.guest = $1",
        "SELECT * FROM sessions",
        "SELECT * FROM elsewhere.sessions WHERE guest = $1",
        "SELECT broken FROM WHERE",
        "SELECT 1; SELECT 2",
    ],
)
def test_anything_less_clear_is_left_alone(query: str) -> None:
    assert needs(query) == []


def test_rare_fast_or_small_is_no_workload() -> None:
    query = "SELECT * FROM sessions WHERE guest = $1"
    assert needs(query, calls=49) == needs(query, mean=1.9) == []
    assert needs(query, t=hotel(row_estimate=100.0, live_tuples=100)) == []
    assert needs(query, t=hotel(seq_scans=0)) == []


def test_an_index_that_leads_with_a_compared_column_is_enough() -> None:
    t = hotel()
    query = "SELECT * FROM sessions WHERE tenant = $1 AND guest = $2"
    assert needs(query, index(t, "i", "tenant", "at"), t=t) == []
    assert needs(query, index(t, "i", "at", "tenant"), t=t) == [["guest", "tenant"]]
    assert needs(query, index(t, "i", "tenant", valid=False), t=t) == [["guest", "tenant"]]
