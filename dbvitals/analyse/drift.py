"""What was declared against what is there: the difference of two snapshots read by the same collector."""

from dataclasses import dataclass, replace

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.index_semantics import serves, usable
from dbvitals.analyse.sql_text import key_text
from dbvitals.snapshot import IndexInfo, TableInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A declared index that is not there. `same_as`: one by another name is its equal; `served_by`: one does its work.

    `index` is the declared one with the OID of the real table.
    """

    index: IndexInfo
    table: TableInfo
    same_as: IndexInfo | None
    served_by: IndexInfo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """An index that is there under the declared name, and differs. `differences` in words, expected first."""

    expected: IndexInfo
    actual: IndexInfo
    table: TableInfo
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The whole comparison. `absent_tables` are (schema, name) of declared tables that do not exist."""

    absent: tuple[Absent, ...] = ()
    drifted: tuple[Drifted, ...] = ()
    absent_tables: tuple[tuple[str, str], ...] = ()
    declared: frozenset[tuple[str, str]] = frozenset()


def compare(actual: Catalog, expected: Catalog) -> Drift:
    """Compare the declared indexes with those of the tables of the same name."""
    tables = {(table.schema, table.name): table for table in actual.snapshot.tables}
    absent, drifted, absent_tables = [], [], set()
    for index in expected.indexes:
        declared_table = expected.tables[index.table_oid]
        table = tables.get((declared_table.schema, declared_table.name))
        if table is None:
            absent_tables.add((declared_table.schema, declared_table.name))
            continue
        moved = replace(index, table_oid=table.oid)
        found = [other for other in actual.indexes_of.get(table.oid, ()) if other.name == index.name]
        if not found:
            absent.append(_absent(actual, moved, table))
        elif found[0].texts_known and (differences := _differences(moved, found[0])):
            drifted.append(Drifted(expected=moved, actual=found[0], table=table, differences=differences))
    return Drift(
        absent=tuple(absent),
        drifted=tuple(drifted),
        absent_tables=tuple(sorted(absent_tables)),
        declared=frozenset((index.schema, index.name) for index in expected.indexes),
    )


def _absent(actual: Catalog, declared: IndexInfo, table: TableInfo) -> Absent:
    others = [index for index in actual.indexes_of.get(table.oid, ()) if usable(index)]
    same = next((other for other in others if not _differences(declared, other)), None)
    served = next((other for other in others if serves(other, declared, table) is not None), None)
    return Absent(index=declared, table=table, same_as=same, served_by=None if same else served)


def _differences(expected: IndexInfo, actual: IndexInfo) -> tuple[str, ...]:
    pairs = {
        "access method": (expected.method, actual.method),
        "key columns": (_keys(expected), _keys(actual)),
        "operator classes": (_opclasses(expected), _opclasses(actual)),
        "INCLUDE": (", ".join(sorted(expected.include)), ", ".join(sorted(actual.include))),
        "uniqueness": (_unique(expected), _unique(actual)),
        "predicate": (expected.predicate, actual.predicate),
        "constraint": (_constraint(expected), _constraint(actual)),
        "storage": (", ".join(expected.options), ", ".join(actual.options)),
    }
    found = [
        f"{what}: expected {_shown(should)}, found {_shown(does)}"
        for what, (should, does) in pairs.items()
        if should != does
    ]
    if not usable(actual):
        found.append("state: expected a valid index, found an invalid one")
    return tuple(found)


def _keys(index: IndexInfo) -> str:
    return ", ".join(key_text(key) for key in index.keys)


def _opclasses(index: IndexInfo) -> str:
    """With the default ones spelled out, which key_text leaves away."""
    return ", ".join(f"{key.opclass} ({key.options})" if key.options else key.opclass for key in index.keys)


def _unique(index: IndexInfo) -> str:
    if not index.unique:
        return "not unique"
    parts = ["unique"]
    if index.nulls_not_distinct:
        parts.append("NULLS NOT DISTINCT")
    if not index.immediate:
        parts.append("deferrable")
    return " ".join(parts)


def _constraint(index: IndexInfo) -> str | None:
    return index.constraint.type if index.constraint else None


def _shown(value: str | None) -> str:
    return value or "none"
