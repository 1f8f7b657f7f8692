"""What the tables need besides themselves: SQL functions, and the triggers that SQLAlchemy has no words for.

A file of app/db/sql that a released migration runs is never edited: a change is a new file and a migration.
"""

from importlib.resources import files

from sqlalchemy import DDL, MetaData, Table, event
from sqlalchemy.engine.default import DefaultDialect

from app.db import protection
from app.db.audit_protection import ARRIVALS_RIGHTS

FUNCTIONS = ("uuid7.sql", "set_updated_at.sql")
# For the index that searches the audit trail, and the numbers that its rows draw.
PARTS = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE EXTENSION IF NOT EXISTS btree_gin",
    "CREATE SEQUENCE audit_arrivals",
)
# In this order: roles first, and the functions before they are given away.
PROTECTION = (
    "make_roles.sql",
    "audit_keys.sql",
    "make_audit_key.sql",
    "audit_hash.sql",
    "audit_change.sql",
    "own_audit_functions.sql",
    "append_only.sql",
)
AUDIT_READERS = ("audit_counted_to.sql", "audit_fresh_days.sql", "search_audit_logs.sql", "own_audit_readers.sql")


def read_sql(name: str) -> str:
    """Read one statement of app/db/sql."""
    return files("app.db").joinpath("sql", name).read_text(encoding="utf-8")


def functions() -> tuple[str, ...]:
    """List the statements that must run before any table is made."""
    return (*PARTS, *map(read_sql, FUNCTIONS))


def declare(metadata: MetaData) -> None:
    """Make functions, roles, triggers, policies and rights part of what `create_all` creates."""
    for statement in (*functions(), *map(read_sql, (*PROTECTION, *AUDIT_READERS)), ARRIVALS_RIGHTS):
        event.listen(metadata, "before_create", _ddl(statement))
    for table in metadata.tables.values():
        for statement in companions(table):
            event.listen(table, "after_create", _ddl(statement))


def companions(table: Table) -> list[str]:
    """List the statements that belong to a table and follow its creation, by what its columns and `info` say."""
    statements = [_updated_at_trigger(table)]
    if "protection" in table.info:
        return [*statements, *table.info["protection"]]
    if table.info.get("trail"):
        statements += protection.isolate_trail(table.name)
    else:
        statements += protection.isolate(table.name, **_rights(table))
        statements.append(
            protection.audit(table.name, sensitive=_marked(table, "sensitive"), heartbeat=_marked(table, "heartbeat"))
        )
    if table.info.get("searched"):
        statements += protection.let_search(table.name)
    return statements + [read_sql(name) for name in table.info.get("followed_by", ())]


def _rights(table: Table) -> dict[str, str]:
    return {"service_may": table.info["service_may"]} if "service_may" in table.info else {}


def _marked(table: Table, mark: str) -> list[str]:
    return [column.name for column in table.columns if column.info.get(mark)]


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
        f"CREATE TRIGGER set_updated_at BEFORE UPDATE ON {quote(table.name)} FOR EACH ROW"
        f" WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION set_updated_at()"
    )


def _ddl(statement: str) -> DDL:
    # DDL() puts names in with the operator %.
    return DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]  # SQLAlchemy types its class, not how it is made
