"""A snapshot arranged for thinking: tables and indexes by OID, partitions folded under their parents."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from msgspec.structs import replace

from dbvitals.snapshot import CatalogSnapshot, ForeignKey, IndexInfo, OperatorFamily, TableInfo

T = TypeVar("T", TableInfo, IndexInfo)


@dataclass(frozen=True)
class Catalog:
    """`snapshot` with its partition trees folded: sizes and counters of the parts are summed into their root."""

    snapshot: CatalogSnapshot

    @cached_property
    def tables(self) -> dict[int, TableInfo]:
        """Every table by OID, partitions included, each with its own figures."""
        return {table.oid: table for table in self.snapshot.tables}

    @cached_property
    def roots(self) -> tuple[TableInfo, ...]:
        """Tables that are not a partition of another one in the snapshot, with the figures of their whole tree."""
        children = _by_parent(self.snapshot.tables)
        return tuple(
            _sum_tables(table, children) for table in self.snapshot.tables if table.parent_oid not in self.tables
        )

    @cached_property
    def root_by_oid(self) -> dict[int, TableInfo]:
        """The folded root tables by OID."""
        return {table.oid: table for table in self.roots}

    @cached_property
    def indexes(self) -> tuple[IndexInfo, ...]:
        """Indexes that are not attached to another one in the snapshot, with the figures of their whole tree."""
        children = _by_parent(self.snapshot.indexes)
        known = {index.oid for index in self.snapshot.indexes}
        return tuple(_sum_indexes(index, children) for index in self.snapshot.indexes if index.parent_oid not in known)

    @cached_property
    def attached_to(self) -> dict[int, tuple[int, ...]]:
        """The OIDs of the indexes that are attached to each partitioned index."""
        return {oid: tuple(part.oid for part in parts) for oid, parts in _by_parent(self.snapshot.indexes).items()}

    @cached_property
    def indexes_of(self) -> dict[int, tuple[IndexInfo, ...]]:
        """Every index, attached ones too, by the OID of its table; folded where it is the root of a tree."""
        folded = {index.oid: index for index in self.indexes}
        found: dict[int, list[IndexInfo]] = defaultdict(list)
        for index in self.snapshot.indexes:
            found[index.table_oid].append(folded.get(index.oid, index))
        return {oid: tuple(indexes) for oid, indexes in found.items()}

    @cached_property
    def partitions_of(self) -> dict[int, tuple[TableInfo, ...]]:
        """The direct partitions of each partitioned table, by its OID."""
        return {oid: tuple(tables) for oid, tables in _by_parent(self.snapshot.tables).items()}

    @cached_property
    def foreign_keys_of(self) -> dict[int, tuple[ForeignKey, ...]]:
        """The foreign keys of each table in the snapshot, by the referencing table's OID."""
        found: dict[int, list[ForeignKey]] = defaultdict(list)
        for key in self.snapshot.foreign_keys:
            if key.table_oid in self.tables:
                found[key.table_oid].append(key)
        return {oid: tuple(keys) for oid, keys in found.items()}

    @cached_property
    def searchable(self) -> frozenset[OperatorFamily]:
        """Which operator families search by which equality operators."""
        return frozenset(self.snapshot.equality)

    @cached_property
    def names(self) -> frozenset[tuple[str, str]]:
        """(schema, name) of every table and index: what a new index must not be called."""
        relations: Iterable[TableInfo | IndexInfo] = (*self.snapshot.tables, *self.snapshot.indexes)
        return frozenset((relation.schema, relation.name) for relation in relations)

    def table_of(self, index: IndexInfo) -> TableInfo:
        """The table of an index, folded when it is the root of a tree."""
        return self.root_by_oid.get(index.table_oid) or self.tables[index.table_oid]


def _by_parent(relations: Iterable[T]) -> dict[int, list[T]]:
    found: dict[int, list[T]] = defaultdict(list)
    for relation in relations:
        if relation.parent_oid is not None:
            found[relation.parent_oid].append(relation)
    return found


_SUMMED_OF_TABLES = (
    "table_bytes",
    "index_bytes",
    "total_bytes",
    "seq_scans",
    "seq_tuples_read",
    "idx_scans",
    "inserts",
    "updates",
    "hot_updates",
    "deletes",
    "live_tuples",
    "dead_tuples",
)


def _sum_tables(root: TableInfo, children: dict[int, list[TableInfo]]) -> TableInfo:
    parts = _tree(root, children)
    if len(parts) == 1:
        return root
    leaves = [part for part in parts if part.kind != "partitioned"]
    sums = {name: sum(getattr(part, name) for part in parts) for name in _SUMMED_OF_TABLES}
    return replace(
        root,
        row_estimate=sum(max(leaf.row_estimate, 0) for leaf in leaves),
        locked=any(part.locked for part in parts),
        sizes_estimated=any(part.sizes_estimated for part in leaves),
        **sums,
    )


def _sum_indexes(root: IndexInfo, children: dict[int, list[IndexInfo]]) -> IndexInfo:
    parts = _tree(root, children)
    if len(parts) == 1:
        return root
    blocks = [part.blocks_touched for part in parts if part.blocks_touched is not None]
    return replace(
        root,
        size_bytes=sum(part.size_bytes for part in parts),
        scans=sum(part.scans for part in parts),
        tuples_read=sum(part.tuples_read for part in parts),
        last_scan=max((part.last_scan for part in parts if part.last_scan), default=None),
        blocks_touched=sum(blocks) if blocks else None,
        created_at=max((part.created_at for part in parts if part.created_at), default=None),
        row_estimate=sum(max(part.row_estimate, 0) for part in parts[1:]),
    )


def _tree(root: T, children: dict[int, list[T]]) -> list[T]:
    parts = [root]
    for part in parts:
        parts.extend(children.get(part.oid, ()))
    return parts
