"""What the tables need besides themselves: SQL functions, and the triggers that SQLAlchemy has no words for.

A file of app/db/sql that a released migration runs is never edited: a change is a new file and a migration.
"""

from importlib.resources import files

from sqlalchemy import DDL, MetaData, Table, event
from sqlalchemy.engine.default import DefaultDialect

FUNCTIONS = ("uuid7.sql", "set_updated_at.sql")


def read_sql(name: str) -> str:
    """Read one statement of app/db/sql."""
    return files("app.db").joinpath("sql", name).read_text(encoding="utf-8")


def functions() -> tuple[str, ...]:
    """List the statements that must run before any table is made."""
    return tuple(read_sql(name) for name in FUNCTIONS)


def declare(metadata: MetaData) -> None:
    """Make functions and triggers part of what `create_all` creates."""
    for statement in functions():
        event.listen(metadata, "before_create", _ddl(statement.replace("%", "%%")))
    for table in metadata.tables.values():
        event.listen(table, "after_create", _ddl(_updated_at_trigger(table)))


def _updated_at_trigger(table: Table) -> str:
    """Word the trigger that stamps `updated_at` when a row really changes.

    The whole row is compared, so that a column added later counts too. Only where a column is generated must
    the others be named: its new value is not known before the row is written, and PostgreSQL refuses to
    compare it.
    """
    quote = DefaultDialect().identifier_preparer.quote
    plain = [quote(column.name) for column in table.columns if column.computed is None]
    compared = ["*"] if len(plain) == len(table.columns) else plain
    old, new = (", ".join(f"{row}.{column}" for column in compared) for row in ("OLD", "NEW"))
    return (
        "CREATE TRIGGER set_updated_at BEFORE UPDATE ON %(table)s FOR EACH ROW"
        f" WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION set_updated_at()"
    )


def _ddl(statement: str) -> DDL:
    return DDL(statement)  # type: ignore[no-untyped-call]  # SQLAlchemy types its class, not how it is made
