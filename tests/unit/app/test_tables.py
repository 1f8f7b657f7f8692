"""Rules that every table of the hotel keeps, held against the models so that a new table keeps them too."""

import pytest
from sqlalchemy import BigInteger, Column, DateTime, Integer, Table
from sqlalchemy.types import Enum

from app.db.base import Base
from app.db.tables import metadata

TABLES = [pytest.param(table, id=name) for name, table in metadata.tables.items()]
NAME_BYTES = 63


def columns() -> list[Column[object]]:
    return [column for table in metadata.tables.values() for column in table.columns]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_tenant_and_time_stamps(table: Table) -> None:
    nullable = {column.name: column.nullable for column in table.columns}
    wanted = {"tenant_id": False, "created_at": False, "updated_at": False, "deleted_at": True}
    assert wanted.items() <= nullable.items()


@pytest.mark.parametrize("table", TABLES)
def test_keys_and_foreign_keys_carry_the_tenant(table: Table) -> None:
    if table.name == "tenants":
        assert [column.name for column in table.primary_key] == ["id"]
        return
    assert [column.name for column in table.primary_key] == ["tenant_id", "id"]
    assert all(key.columns[0].name == "tenant_id" for key in table.foreign_key_constraints)
    assert table.foreign_key_constraints


def test_types_are_the_ones_that_do_not_break() -> None:
    types = [column.type for column in columns()]
    assert not [kind for kind in types if isinstance(kind, Enum)]
    assert {type(kind) for kind in types if isinstance(kind, Integer)} == {BigInteger}
    assert {kind.timezone for kind in types if isinstance(kind, DateTime)} == {True}


def test_no_name_is_cut_off_by_the_server() -> None:
    tables = metadata.tables.values()
    names = [str(index.name) for table in tables for index in table.indexes]
    names += [str(constraint.name) for table in tables for constraint in table.constraints]
    assert len(names) > len(metadata.tables)
    assert all(0 < len(name.encode()) <= NAME_BYTES for name in names)


def test_every_column_that_holds_free_text_has_a_length() -> None:
    for table in metadata.tables.values():
        checks = " ".join(str(getattr(item, "sqltext", "")) for item in table.constraints)
        texts = [column.name for column in table.columns if str(column.type) == "TEXT"]
        assert all(f"char_length({name})" in checks or f"{name} IN (" in checks for name in texts), table.name


def test_no_relationship_loads_by_itself() -> None:
    relationships = [relationship for mapper in Base.registry.mappers for relationship in mapper.relationships]
    assert relationships
    assert {relationship.lazy for relationship in relationships} == {"raise"}
