"""Make the tables, and what keeps their keys and time stamps."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from app.db.ddl import read_sql
from app.migrations import steps

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NOW = sa.text("now()")
CLOCK = sa.text("clock_timestamp()")
EMPTY_OBJECT = sa.text("'{}'::jsonb")
TIME = sa.DateTime(timezone=True)
PLATFORMS = "'phone', 'whatsapp', 'sms', 'email', 'telegram', 'instagram', 'messenger', 'webchat'"

# In the order in which they can be made.
TABLES = ("tenants", "tenant_user_identifiers", "sessions", "audit_logs", "locks")

# The columns are named where one is generated: PostgreSQL refuses to compare a whole row that has one.
TENANT_COLUMNS = ("id", "name", "timezone", "settings", "created_at", "updated_at", "deleted_at")


def upgrade() -> None:
    """Make everything but the indexes, which the next migration builds."""
    steps.set_timeouts()
    op.execute(read_sql("uuid7.sql"))
    op.execute(read_sql("set_updated_at.sql"))
    _create_tenants()
    _create_tenant_user_identifiers()
    _create_sessions()
    _create_audit_logs()
    _create_locks()
    for table in TABLES:
        _create_updated_at_trigger(table, TENANT_COLUMNS if table == "tenants" else ("*",))


def downgrade() -> None:
    """Drop everything, with all data."""
    steps.set_timeouts()
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION set_updated_at()")
    op.execute("DROP FUNCTION uuid7()")


def _create_tenants() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.Uuid, server_default=sa.text("uuid7()"), nullable=False),
        sa.Column("tenant_id", sa.Uuid, sa.Computed("id", persisted=True), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, server_default="UTC", nullable=False),
        sa.Column("settings", JSONB, server_default=EMPTY_OBJECT, nullable=False),
        *_stamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("tenants_pkey")),
        _check("tenants", "name_length", "char_length(name) BETWEEN 1 AND 200"),
        _check("tenants", "timezone_length", "char_length(timezone) BETWEEN 1 AND 64"),
        _check("tenants", "settings_object", "jsonb_typeof(settings) = 'object'"),
    )


def _create_tenant_user_identifiers() -> None:
    op.create_table(
        "tenant_user_identifiers",
        *_keys("tenant_user_identifiers"),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("identifier_value", sa.Text, nullable=False),
        sa.Column("verified_at", TIME),
        *_stamps(),
        _check("tenant_user_identifiers", "platform", f"platform IN ({PLATFORMS})"),
        _check(
            "tenant_user_identifiers",
            "identifier_value_length",
            "char_length(identifier_value) BETWEEN 1 AND 320",
        ),
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        *_keys("sessions"),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("identifier_id", sa.Uuid, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("state", sa.Text, server_default="active", nullable=False),
        sa.Column("version", sa.BigInteger, server_default=sa.text("1"), nullable=False),
        sa.Column("context", JSONB, server_default=EMPTY_OBJECT, nullable=False),
        sa.Column("last_message_at", TIME, server_default=NOW, nullable=False),
        sa.Column("closed_at", TIME),
        *_stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "identifier_id"],
            ["tenant_user_identifiers.tenant_id", "tenant_user_identifiers.id"],
            name=op.f("sessions_tenant_id_identifier_id_fkey"),
        ),
        _check("sessions", "platform", f"platform IN ({PLATFORMS})"),
        _check("sessions", "state", "state IN ('active', 'idle', 'closed')"),
        _check("sessions", "version", "version >= 1"),
        _check("sessions", "closed_at", "(state = 'closed') = (closed_at IS NOT NULL)"),
        _check("sessions", "context_object", "jsonb_typeof(context) = 'object'"),
    )


def _create_audit_logs() -> None:
    op.create_table(
        "audit_logs",
        *_keys("audit_logs"),
        sa.Column("timestamp", TIME, server_default=CLOCK, nullable=False),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, server_default="info", nullable=False),
        sa.Column("user_id", sa.Uuid),
        sa.Column("resource", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column("details", JSONB, server_default=EMPTY_OBJECT, nullable=False),
        *_stamps(),
        _check("audit_logs", "event_type_length", "char_length(event_type) BETWEEN 1 AND 100"),
        _check("audit_logs", "severity", "severity IN ('debug', 'info', 'warning', 'error', 'critical')"),
        _check("audit_logs", "resource_length", "char_length(resource) BETWEEN 1 AND 500"),
        _check("audit_logs", "request_id_length", "char_length(request_id) BETWEEN 1 AND 200"),
        _check("audit_logs", "details_object", "jsonb_typeof(details) = 'object'"),
        postgresql_with={"autovacuum_vacuum_insert_scale_factor": 0.01},
    )


def _create_locks() -> None:
    op.create_table(
        "locks",
        *_keys("locks"),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("fencing_token", sa.BigInteger, server_default=sa.text("1"), nullable=False),
        sa.Column("acquired_at", TIME, server_default=CLOCK, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("released_at", TIME),
        *_stamps(),
        _check("locks", "resource_length", "char_length(resource) BETWEEN 1 AND 500"),
        _check("locks", "owner_length", "char_length(owner) BETWEEN 1 AND 200"),
        _check("locks", "fencing_token", "fencing_token >= 1"),
        _check("locks", "expires_at", "expires_at >= acquired_at"),
        _check("locks", "released_at", "released_at >= acquired_at"),
        postgresql_with={"fillfactor": 50},
    )


def _keys(table: str) -> tuple[sa.schema.SchemaItem, ...]:
    """Columns and constraints of a table whose rows belong to a tenant."""
    return (
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.Uuid, server_default=sa.text("uuid7()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f(f"{table}_pkey")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f(f"{table}_tenant_id_fkey")),
    )


def _stamps() -> tuple[sa.Column[object], ...]:
    """Columns that the server keeps."""
    return (
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIME, server_default=NOW, nullable=False),
        sa.Column("deleted_at", TIME),
    )


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"{table}_{name}_check"))


def _create_updated_at_trigger(table: str, columns: tuple[str, ...]) -> None:
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    op.execute(
        f"CREATE TRIGGER set_updated_at BEFORE UPDATE ON {table} FOR EACH ROW"
        f" WHEN (({old}) IS DISTINCT FROM ({new})) EXECUTE FUNCTION set_updated_at()"
    )
