"""Declared indexes found by their names alone: what is left when neither PostgreSQL nor its parser is there."""

import re
from collections.abc import Iterator

from msgspec.structs import replace

from dbvitals.collect.expected_blank import blank_index, blank_key, blank_table
from dbvitals.expect import Expectations
from dbvitals.snapshot import CatalogSnapshot, IndexInfo, TableInfo

_NAME = r'(?:"(?:[^"]|"")+"|\w+)'
_INDEX = re.compile(
    rf"CREATE\s+(?P<unique>UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{_NAME})"
    rf"\s+ON\s+(?:ONLY\s+)?(?:(?P<schema>{_NAME})\.)?(?P<table>{_NAME})\s*(?:USING\s+(?P<method>\w+)\s*)?"
    r"\((?P<keys>.*?)\)(?:\s*INCLUDE\s*\((?P<include>[^()]*)\))?(?P<distinct>\s*NULLS\s+NOT\s+DISTINCT)?"
    r"(?:\s*WITH\s*\((?P<options>[^()]*)\))?(?:\s*WHERE\s+(?P<where>.*?))?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)


def declared_by_name(expectations: Expectations, actual: CatalogSnapshot) -> CatalogSnapshot:
    """A snapshot in which a declared index that exists is as it is, and one that does not is as it was written.

    Only statements that are one plain CREATE INDEX are understood.
    """
    tables: dict[tuple[str, str], TableInfo] = {(table.schema, table.name): table for table in actual.tables}
    indexes = tuple(_indexes(expectations, tables, actual))
    used = {index.table_oid for index in indexes}
    return replace(
        actual, tables=tuple(table for table in tables.values() if table.oid in used), indexes=indexes, skipped=()
    )


def _indexes(
    expectations: Expectations, tables: dict[tuple[str, str], TableInfo], actual: CatalogSnapshot
) -> Iterator[IndexInfo]:
    present = {(index.table_oid, index.name): index for index in actual.indexes}
    for number, statement in enumerate(expectations.statements):
        match = _INDEX.fullmatch(statement.strip())
        if match is None:
            continue
        place = (_raw(match["schema"]) or expectations.schema, _raw(match["table"]))
        table = tables.setdefault(place, blank_table(*place, oid=-1 - number))
        name = _raw(match["name"])
        found = present.get((table.oid, name))
        yield _usable(found) if found else _written(match, table, name, oid=-1 - number)


def _usable(index: IndexInfo) -> IndexInfo:
    return replace(index, valid=True, ready=True, live=True, texts_known=True, parent_oid=None)


def _raw(name: str | None) -> str:
    """A name without its quotes."""
    if name is None:
        return ""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _written(match: re.Match[str], table: TableInfo, name: str, *, oid: int) -> IndexInfo:
    """The keys stay one text, as nothing here can tell them apart."""
    keys = " ".join(match["keys"].split())
    return blank_index(
        table,
        name,
        oid=oid,
        method=(match["method"] or "btree").lower(),
        keys=(blank_key(keys, keys),),
        include=tuple(_raw(column.strip()) for column in (match["include"] or "").split(",") if column.strip()),
        unique=match["unique"] is not None,
        nulls_not_distinct=match["distinct"] is not None,
        options=tuple(sorted("".join(option.split()) for option in (match["options"] or "").split(",") if option)),
        predicate=match["where"],
    )
