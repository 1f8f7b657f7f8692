"""Foreign keys without an index on their referencing side: every change of a parent row then scans the child table."""

from dataclasses import dataclass

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.index_semantics import not_null_predicates, usable
from dbvitals.snapshot import ForeignKey, IndexInfo, OperatorFamily, TableInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedKey:
    """Foreign keys of `child` over the same columns that no index serves. `half` covers a part of the columns only."""

    keys: tuple[ForeignKey, ...]
    child: TableInfo
    parent: TableInfo | None
    half: IndexInfo | None

    @property
    def plain(self) -> bool:
        """Whether an index on the columns themselves would serve them all."""
        return all(key.plain for key in self.keys)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns to index, in the order of the first key."""
        return self.keys[0].columns


def find_unsupported(catalog: Catalog, planned: tuple[IndexInfo, ...] = ()) -> tuple[UnsupportedKey, ...]:
    """Keys that neither an existing index nor a `planned` one serves; one entry for each set of columns."""
    found: dict[tuple[int, frozenset[str]], list[ForeignKey]] = {}
    for keys in catalog.foreign_keys_of.values():
        for key in keys:
            if key.enforced and not supporting(catalog, key, planned):
                found.setdefault((key.table_oid, frozenset(key.columns)), []).append(key)
    return tuple(_unsupported(catalog, tuple(keys)) for keys in found.values())


def _unsupported(catalog: Catalog, keys: tuple[ForeignKey, ...]) -> UnsupportedKey:
    first = keys[0]
    return UnsupportedKey(
        keys=keys,
        child=catalog.root_by_oid.get(first.table_oid) or catalog.tables[first.table_oid],
        parent=catalog.root_by_oid.get(first.ref_table_oid) or catalog.tables.get(first.ref_table_oid),
        half=_half_cover(catalog, first),
    )


def supporting(catalog: Catalog, key: ForeignKey, planned: tuple[IndexInfo, ...] = ()) -> tuple[IndexInfo, ...]:
    """The indexes by which the server can look up the rows that reference a given parent row.

    On a partitioned table that is one of the whole tree, or one on every partition.
    """
    return _supporting(catalog, key, catalog.tables[key.table_oid], planned)


def _supporting(
    catalog: Catalog, key: ForeignKey, table: TableInfo, planned: tuple[IndexInfo, ...]
) -> tuple[IndexInfo, ...]:
    own = (*catalog.indexes_of.get(table.oid, ()), *(i for i in planned if i.table_oid == table.oid))
    found = tuple(index for index in own if _supports(catalog, key, index))
    if found:
        return found
    parts = [_supporting(catalog, key, part, planned) for part in catalog.partitions_of.get(table.oid, ())]
    return tuple(index for part in parts for index in part) if parts and all(parts) else ()


def _supports(catalog: Catalog, key: ForeignKey, index: IndexInfo) -> bool:
    covered = _leading_matches(catalog, key, index)
    if covered == len(key.columns):
        return True
    # A unique index within the columns finds one row at most: the rest of the columns has nothing left to narrow.
    return index.unique and covered == len(index.keys) > 0


def _leading_matches(catalog: Catalog, key: ForeignKey, index: IndexInfo) -> int:
    """How many key columns of the index are compared by the foreign key, in whatever order.

    They have to lead, except in a GIN index, which searches any of its columns equally well.
    """
    table = catalog.tables[index.table_oid]
    if not usable(index) or not _covers_all_rows(key, index, table):
        return 0
    wanted = dict(zip(key.columns, key.operators, strict=True))
    count = 0
    for part in index.keys:
        operator = wanted.get(part.column or "")
        family = OperatorFamily(family_oid=part.opfamily_oid, operator_oid=operator or 0)
        if operator is not None and part.collation_default and family in catalog.searchable:
            count += 1
        elif index.method != "gin":
            break
    return count


def _covers_all_rows(key: ForeignKey, index: IndexInfo, table: TableInfo) -> bool:
    """Equality is never true for NULL, so `column IS NOT NULL` is the one predicate that loses no referencing row."""
    if index.predicate is None:
        return True
    quoted = [column.quoted for column in table.columns if column.name in key.columns]
    return index.predicate in not_null_predicates(quoted)


def _half_cover(catalog: Catalog, key: ForeignKey) -> IndexInfo | None:
    candidates = catalog.indexes_of.get(key.table_oid, ())
    matches = [(_leading_matches(catalog, key, index), index.name, index) for index in candidates]
    best = max(((count, name, index) for count, name, index in matches if count), default=None, key=lambda m: m[:2])
    return best[2] if best else None
