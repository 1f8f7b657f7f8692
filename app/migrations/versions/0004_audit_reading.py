"""Number the audit trail's rows as they come, and make room for their counts, their seals and search in them."""

import sqlalchemy as sa
from alembic import op

from app.db import audit_protection
from app.db.ddl import read_sql
from app.migrations import steps

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

EXTENSIONS = ("pg_trgm", "btree_gin")
ARRIVAL = sa.text("CASE WHEN pg_current_xact_id() IS NOT NULL THEN nextval('audit_arrivals') END")
NOW = sa.text("now()")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Change the catalogue, in one transaction; 0006 builds the indexes on the trail itself."""
    steps.set_timeouts()
    for name in EXTENSIONS:
        op.execute(f"CREATE EXTENSION IF NOT EXISTS {name}")
    _number_rows()
    _create_days()
    _create_seals()
    for name in ("audit_counted_to.sql", "audit_fresh_days.sql", "search_audit_logs.sql", "own_audit_readers.sql"):
        op.execute(read_sql(name))


def downgrade() -> None:
    """Take it back; an extension that others have come to use stays."""
    steps.set_timeouts()
    op.execute("DROP FUNCTION search_audit_logs(text, integer, timestamptz, uuid)")
    op.execute("DROP FUNCTION audit_fresh_days()")
    op.execute("DROP FUNCTION audit_counted_to()")
    op.drop_table("audit_seals")
    op.drop_table("audit_days")
    op.drop_column("audit_logs", "arrival")
    op.execute("DROP SEQUENCE audit_arrivals")
    op.execute(read_sql("drop_unused_extensions.sql"))


def _number_rows() -> None:
    op.execute("CREATE SEQUENCE audit_arrivals")
    # A constant is kept in the catalogue, however many rows there are; the real default is for rows to come.
    op.add_column("audit_logs", sa.Column("arrival", sa.BigInteger, server_default=sa.text("0"), nullable=False))
    op.alter_column("audit_logs", "arrival", server_default=ARRIVAL)
    op.execute(audit_protection.ARRIVALS_RIGHTS)


def _create_days() -> None:
    op.create_table(
        "audit_days",
        *_keys("audit_days"),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("counted_to", sa.BigInteger, nullable=False),
        *_stamps(),
        _check("audit_days", "n", "n >= 1"),
    )
    columns = ["tenant_id", "day"]
    op.create_index("idx_audit_days_tenant_id_day", "audit_days", columns, unique=True, postgresql_include=["n"])
    op.create_index("idx_audit_days_counted_to", "audit_days", ["counted_to"])
    _protect("audit_days", audit_protection.keep_days())


def _create_seals() -> None:
    op.create_table(
        "audit_seals",
        *_keys("audit_seals"),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("arrived_from", sa.BigInteger, nullable=False),
        sa.Column("arrived_to", sa.BigInteger, nullable=False),
        sa.Column("n", sa.BigInteger, nullable=False),
        sa.Column("first_id", sa.Uuid, nullable=False),
        sa.Column("last_id", sa.Uuid, nullable=False),
        sa.Column("leaves", sa.LargeBinary, nullable=False),
        sa.Column("previous", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        *_stamps(),
        _check("audit_seals", "number", "number >= 1"),
        _check("audit_seals", "n", "n >= 1"),
        _check("audit_seals", "arrived", "arrived_from < arrived_to"),
        _check("audit_seals", "leaves", "octet_length(leaves) = 32 * n"),
        _check("audit_seals", "hash", "octet_length(hash) = 32 AND octet_length(previous) = 32"),
    )
    op.create_index("idx_audit_seals_tenant_id_number", "audit_seals", ["tenant_id", "number"], unique=True)
    _protect("audit_seals", audit_protection.keep_seals())


def _protect(table: str, statements: list[str]) -> None:
    op.execute(
        f"CREATE TRIGGER set_updated_at BEFORE UPDATE ON {table} FOR EACH ROW"
        " WHEN ((OLD.*) IS DISTINCT FROM (NEW.*)) EXECUTE FUNCTION set_updated_at()"
    )
    for statement in statements:
        op.execute(statement)


def _keys(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    return (
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.Uuid, server_default=sa.text("uuid7()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f(f"{table}_pkey")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f(f"{table}_tenant_id_fkey")),
    )


def _stamps() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIME, server_default=NOW, nullable=False),
        sa.Column("deleted_at", TIME),
    )


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"{table}_{name}_check"))
