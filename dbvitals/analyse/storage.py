"""How large a fresh B-tree would be: the estimate behind "bloated". Knows deduplication, fill factor and NULLs.

Page layout from the PostgreSQL sources (nbtree.h, nbtdedup.c, nbtsort.c) and the documentation's "B-Tree Indexes".
"""

import math
from dataclasses import dataclass

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.thresholds import IndexThresholds
from dbvitals.snapshot import ColumnStatistics, IndexInfo

_PAGE_HEADER = 24
_SPECIAL = 16
_ITEM_POINTER = 4
_TUPLE_HEADER = 8
_TID = 6
_ALIGNMENT = 8
_DEFAULT_FILL_FACTOR = 90
_POSTING_LIMIT_SHARE = 0.10
"""CREATE INDEX fills posting lists up to a tenth of a page (nbtsort.c)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bloat:
    """A B-tree whose pages hold much less than they could. Bytes; `expected_bytes` is what a rebuild would give."""

    index: IndexInfo
    expected_bytes: int

    @property
    def bytes(self) -> int:
        """What a rebuild would give back."""
        return self.index.size_bytes - self.expected_bytes

    @property
    def percent(self) -> float:
        """Share of the index that a rebuild would give back."""
        return round(100 * self.bytes / self.index.size_bytes, 1)


def find_bloated(catalog: Catalog, thresholds: IndexThresholds) -> tuple[Bloat, ...]:
    """B-trees well beyond the size of a fresh one; most bytes first. Each partition's part is judged by itself."""
    found = []
    for index in catalog.snapshot.indexes:
        if index.size_bytes < thresholds.bloat_min_bytes:
            continue
        expected = expected_bytes(catalog, index)
        if expected is None or index.size_bytes - expected < thresholds.bloat_min_bytes:
            continue
        bloat = Bloat(index=index, expected_bytes=expected)
        if bloat.percent >= thresholds.bloat_min_percent:
            found.append(bloat)
    return tuple(sorted(found, key=lambda b: (-b.bytes, b.index.schema, b.index.name)))


def expected_bytes(catalog: Catalog, index: IndexInfo) -> int | None:
    """Size of the index when it is built anew; None when the statistics for that are missing."""
    table = catalog.tables[index.table_oid]
    if index.method != "btree" or not index.valid or index.row_estimate < 0 or not index.keys or table.locked:
        return None
    columns = _statistics(catalog, index)
    if columns is None:
        return None
    rows = _rows(catalog, index)
    block = catalog.snapshot.server.block_size
    tuples, width = _leaf_tuples(index, columns, rows, block)
    fill_factor = _option(index, "fillfactor", _DEFAULT_FILL_FACTOR) / 100
    usable = (block - _PAGE_HEADER - _SPECIAL) * fill_factor
    leaves = max(1, math.ceil(tuples * (width + _ITEM_POINTER) / usable))
    return (1 + leaves + _inner_pages(leaves, usable, columns)) * block


def _statistics(catalog: Catalog, index: IndexInfo) -> list[ColumnStatistics] | None:
    """Of the keys, then of the INCLUDE columns."""
    by_name = {column.name: column.statistics for column in catalog.tables[index.table_oid].columns}
    found = [by_name.get(key.column) if key.column else key.statistics for key in index.keys]
    found += [by_name.get(name) for name in index.include]
    known = [statistics for statistics in found if statistics is not None]
    return known if len(known) == len(found) else None


def _rows(catalog: Catalog, index: IndexInfo) -> float:
    """Entries: what the last VACUUM, ANALYZE or build counted, or the table's live rows when those have grown since."""
    table = catalog.tables[index.table_oid]
    if index.predicate is not None or table.row_estimate < 0:
        return index.row_estimate
    return max(index.row_estimate, table.row_estimate, float(table.live_tuples))


def _leaf_tuples(index: IndexInfo, columns: list[ColumnStatistics], rows: float, block: int) -> tuple[float, float]:
    """How many leaf tuples there are, and how many bytes one takes on average."""
    width = _aligned(_TUPLE_HEADER + _null_bitmap(columns) + _data_width(columns))
    if not _deduplicates(index):
        return rows, width
    distinct = _distinct(columns, rows)
    per_key = rows / distinct if distinct else 1.0
    longest = max(1.0, (block * _POSTING_LIMIT_SHARE - width) / _TID)
    if per_key < 2:
        return rows, width
    lists = distinct * math.ceil(per_key / longest)
    return lists, _aligned(width + _TID * rows / lists)


def _deduplicates(index: IndexInfo) -> bool:
    """PostgreSQL 13+: when equal means bitwise equal, there is no INCLUDE, and it has not been switched off.

    A unique index only deduplicates the versions of a row.
    """
    off = "deduplicate_items=off" in index.options or "deduplicate_items=false" in index.options
    return all(key.equal_image for key in index.keys) and not index.include and not index.unique and not off


def _distinct(columns: list[ColumnStatistics], rows: float) -> float:
    """Distinct keys: the product over the columns, never more than there are rows; NULLs are one more value."""
    product = 1.0
    for column in columns:
        own = column.n_distinct if column.n_distinct >= 0 else -column.n_distinct * rows
        product *= max(1.0, own + (1 if column.null_frac > 0 else 0))
        if product >= rows:
            return max(rows, 1.0)
    return product


def _data_width(columns: list[ColumnStatistics]) -> float:
    """Bytes of the key values, with 2 bytes of padding between two columns; those of NULLs take none."""
    return sum(column.avg_width * (1 - column.null_frac) for column in columns) + 2 * (len(columns) - 1)


def _null_bitmap(columns: list[ColumnStatistics]) -> int:
    return _ALIGNMENT if any(column.null_frac > 0 for column in columns) else 0


def _aligned(size: float) -> float:
    return math.ceil(size / _ALIGNMENT) * _ALIGNMENT


def _inner_pages(leaves: int, usable: float, columns: list[ColumnStatistics]) -> int:
    fan_out = max(2.0, usable / (_aligned(_TUPLE_HEADER + _data_width(columns)) + _ITEM_POINTER))
    pages, level = 0, leaves
    while level > 1:
        level = math.ceil(level / fan_out)
        pages += level
    return pages


def _option(index: IndexInfo, name: str, default: int) -> int:
    for option in index.options:
        key, _, value = option.partition("=")
        if key == name and value.isdigit():
            return int(value)
    return default
