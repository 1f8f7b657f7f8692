"""The estimate of a fresh B-tree's size against fresh B-trees."""

from collections.abc import Callable
from typing import Any

import psycopg

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.storage import expected_bytes, find_bloated
from dbvitals.analyse.thresholds import IndexThresholds
from tests.integration.collect.conftest import Snapshot

Connect = Callable[[str], psycopg.Connection[Any]]

TABLE = """
CREATE TABLE s AS
SELECT i::bigint AS id, md5(i::text)::uuid AS u, 'name-' || i * 7919 % 30000 AS t, i * 31 % 50 AS low,
       now() - i * interval '1 s' AS at, CASE WHEN i % 10 = 0 THEN i END AS sparse, (i * 7919 % 30000)::numeric AS n,
       md5(i::text) AS long, i % 2 = 0 AS flag
FROM generate_series(1, 120000) AS i
"""

INDEXES = {
    "unique": "(id)",
    "random": "(u)",
    "repeated text": "(t)",
    "few values": "(low)",
    "descending": "(at DESC)",
    "mostly NULL": "(sparse)",
    "not deduplicated type": "(n)",
    "wide": "(long)",
    "two columns": "(t, u)",
    "few then unique": "(low, at)",
    "include": "(low) INCLUDE (at)",
    "partial": "(at) WHERE low < 10",
    "expression": "(lower(t))",
    "fill factor": "(at) WITH (fillfactor = 60)",
    "boolean": "(flag)",
    "deduplication off": "(low) WITH (deduplicate_items = off)",
}


def test_a_fresh_index_is_estimated_within_a_quarter(database: str, connect: Connect, snapshot: Snapshot) -> None:
    connection = connect(database)
    connection.execute(TABLE)
    for name, body in INDEXES.items():
        table, _, tail = body.partition(")")
        connection.execute(f'CREATE INDEX "{name}" ON s {table}){tail}'.encode())
    # 300 rows a unit: all of them are looked at, so that the arithmetic is tested and not the dice of the sample.
    connection.execute("SET default_statistics_target = 400")
    connection.execute("ANALYZE s")
    catalog = Catalog(snapshot(database))
    ratios = {index.name: (expected_bytes(catalog, index) or 0) / index.size_bytes for index in catalog.indexes}
    assert ratios.keys() == INDEXES.keys()
    assert {name: round(ratio, 2) for name, ratio in ratios.items() if not 0.75 <= ratio <= 1.25} == {}
    assert find_bloated(catalog, IndexThresholds(bloat_min_bytes=0)) == ()


def test_an_emptied_index_is_bloated_until_it_is_rebuilt(database: str, connect: Connect, snapshot: Snapshot) -> None:
    connection = connect(database)
    connection.execute(TABLE)
    connection.execute("CREATE INDEX s_u ON s (u)")
    connection.execute("DELETE FROM s WHERE id % 10 <> 0")
    connection.execute("SELECT pg_stat_force_next_flush(); SELECT 1")
    connection.execute("VACUUM ANALYZE s")
    thresholds = IndexThresholds(bloat_min_bytes=1024 * 1024)
    (bloat,) = find_bloated(Catalog(snapshot(database)), thresholds)
    assert bloat.index.name == "s_u"
    assert bloat.percent > 80
    connection.execute("REINDEX INDEX CONCURRENTLY s_u")
    rebuilt = Catalog(snapshot(database))
    assert find_bloated(rebuilt, thresholds) == ()
    assert abs(rebuilt.indexes[0].size_bytes - bloat.expected_bytes) < 0.25 * bloat.expected_bytes
