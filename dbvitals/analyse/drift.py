"""What was declared against what is there: the difference of two snapshots read by the same collector."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from dbvitals.analyse.catalog import Catalog
from dbvitals.analyse.index_semantics import serves, usable
from dbvitals.analyse.sql_text import key_text
from dbvitals.snapshot import IndexInfo, IndexKey, TableInfo


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
    """An index that is there under the declared name, and differs. `differences` in words, expected first.

    Each begins with its kind and a colon: `access method`, `column type`, `key columns`, `order`, `mirrored order` (the
    same scans, read backwards), `operator classes`, `collations`, `INCLUDE`, `uniqueness`, `predicate`, `constraint`,
    `storage`, `state`.
    """

    expected: IndexInfo
    actual: IndexInfo
    table: TableInfo
    differences: tuple[str, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """What differs, without the values."""
        return frozenset(difference.partition(":")[0] for difference in self.differences)

    @property
    def changes_service(self) -> bool:
        """Whether the declared index serves other queries or rules than the one that is there."""
        return not self.kinds <= {"storage", "mirrored order"}


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
    declared = frozenset((index.schema, index.name) for index in expected.indexes)
    building = {build.index_oid for build in actual.snapshot.builds}
    lacking, drifted = [], []
    for index in expected.indexes:
        declared_table = expected.tables[index.table_oid]
        table = tables.get((declared_table.schema, declared_table.name))
        if table is None:
            continue
        found = next((other for other in actual.indexes_of.get(table.oid, ()) if other.name == index.name), None)
        moved = _moved(index, table, found)
        if found is None:
            lacking.append((moved, table))
        elif found.texts_known and found.oid not in building:
            types = _column_types(moved, declared_table, table)
            if differences := (*types, *_differences(moved, found)):
                drifted.append(Drifted(expected=moved, actual=found, table=table, differences=differences))
    return Drift(
        absent=tuple(_absent(actual, lacking, declared)),
        drifted=tuple(drifted),
        absent_tables=tuple(sorted({(table.schema, table.name) for table in expected.roots} - tables.keys())),
        declared=declared,
    )


def _moved(index: IndexInfo, table: TableInfo, found: IndexInfo | None) -> IndexInfo:
    """The declared index on the real table, whose columns may have another collation than the declared ones."""
    keys = index.keys
    if found is not None and len(found.keys) == len(keys):
        keys = tuple(
            key if key.collation == other.collation else replace(key, collation_default=False)
            for key, other in zip(keys, found.keys, strict=True)
        )
    return replace(index, table_oid=table.oid, keys=keys)


def _absent(
    actual: Catalog, lacking: list[tuple[IndexInfo, TableInfo]], declared: frozenset[tuple[str, str]]
) -> Iterator[Absent]:
    """Each with the index that is its equal, unless that one is declared itself, or another took it before."""
    taken: set[int] = set()
    for index, table in lacking:
        others = [other for other in actual.indexes_of.get(table.oid, ()) if usable(other)]
        equals = (o for o in others if (o.schema, o.name) not in declared and o.oid not in taken)
        same = next((other for other in equals if not any(_differences(index, other))), None)
        if same is not None:
            taken.add(same.oid)
            yield Absent(index=index, table=table, same_as=same, served_by=None)
        else:
            served = next((other for other in others if _stands_in(other, index, table)), None)
            yield Absent(index=index, table=table, same_as=None, served_by=served)


def _stands_in(other: IndexInfo, index: IndexInfo, table: TableInfo) -> bool:
    """A constraint is more than its index: foreign keys refer to it, and a primary key is the rows' identity."""
    return serves(other, index, table) is not None and (index.constraint is None or other.constraint is not None)


def _column_types(index: IndexInfo, declared_table: TableInfo, table: TableInfo) -> Iterator[str]:
    """Key columns of another type; what else differs then follows from that."""
    declared = {column.name: column.type for column in declared_table.columns}
    real = {column.name: (column.quoted, column.type) for column in table.columns}
    for key in index.keys:
        if key.column in declared and key.column in real:
            quoted, found = real[key.column]
            if declared[key.column] != found:
                yield f"column type: expected {quoted} {declared[key.column]}, found {found}"


def _differences(expected: IndexInfo, actual: IndexInfo) -> Iterator[str]:
    pairs = {
        "access method": (expected.method, actual.method),
        **_keys(expected, actual),
        "INCLUDE": (", ".join(sorted(expected.include)), ", ".join(sorted(actual.include))),
        "uniqueness": (_unique(expected), _unique(actual)),
        "predicate": (_stable(expected.predicate), _stable(actual.predicate)),
        "constraint": (_constraint(expected), _constraint(actual)),
        "storage": (", ".join(expected.options), ", ".join(actual.options)),
    }
    for what, (should, does) in pairs.items():
        if should != does:
            yield f"{what}: expected {should or 'none'}, found {does or 'none'}"
    if not usable(actual):
        yield "state: expected a valid index, found an invalid one"


def _keys(expected: IndexInfo, actual: IndexInfo) -> dict[str, tuple[str, str]]:
    """Only with the same columns under the same access method does the rest of a key say anything by itself."""
    ours, theirs = ([_stable(key.text) for key in index.keys] for index in (expected, actual))
    if ours != theirs:
        return {"key columns": (_listed(expected, key_text), _listed(actual, key_text))}
    if expected.method != actual.method:
        return {}
    mirrored = all(
        (key.descending, key.nulls_first) == (not other.descending, not other.nulls_first)
        for key, other in zip(expected.keys, actual.keys, strict=True)
    )
    return {
        "mirrored order" if mirrored else "order": (_listed(expected, _ordered), _listed(actual, _ordered)),
        "operator classes": (_listed(expected, _opclass), _listed(actual, _opclass)),
        "collations": (_listed(expected, _collation), _listed(actual, _collation)),
    }


def _listed(index: IndexInfo, shown: Callable[[IndexKey], str]) -> str:
    return ", ".join(shown(key) for key in index.keys)


def _ordered(key: IndexKey) -> str:
    return key_text(replace(key, collation=None, opclass_default=True, options="", text=_stable(key.text) or ""))


def _opclass(key: IndexKey) -> str:
    """With the default ones spelled out, which key_text leaves away."""
    name = key.opclass or "the default"
    return f"{name} ({key.options})" if key.options else name


def _collation(key: IndexKey) -> str:
    return key.collation or "the column's own"


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


_LITERAL = r"E?'(?:[^']|'')*'"
_VARCHAR = rf"{_LITERAL}::character varying"
_TOKENS = re.compile(
    rf'"(?:[^"]|"")*"|\(ARRAY\[(?P<array>{_VARCHAR}(?:, {_VARCHAR})*)\]\)::text\[\]'
    rf"|\((?P<one>{_VARCHAR})\)::text|{_LITERAL}"
)
_CAST = re.compile(rf"({_LITERAL})::character varying")


def _stable(text: str | None) -> str | None:
    """The server's text of an expression in the form that it keeps when it is read and written once more.

    `varchar_column IN ('a', 'b')` is printed as `(ARRAY['a'::character varying, …])::text[]`. Read again, from a dump
    or a statement of ours, it becomes `ARRAY[('a'::character varying)::text, …]`. Both are the constant `'a'::text`.
    """
    return None if text is None else _TOKENS.sub(_as_text, text)


def _as_text(match: re.Match[str]) -> str:
    array, one = (_CAST.sub(r"\1::text", match[group] or "") for group in ("array", "one"))
    return f"ARRAY[{array}]" if array else one or match[0]
