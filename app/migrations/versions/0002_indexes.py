"""Build the guide's critical indexes, and the one behind a foreign key.

Why each is as it is stands beside its declaration in app/db/tables.py.
"""

import sqlalchemy as sa

from app.migrations import steps

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAMES = (
    "idx_sessions_tenant_id_created_at",
    "idx_sessions_user_id_created_at",
    "idx_sessions_state",
    "idx_sessions_tenant_id_identifier_id",
    "idx_audit_logs_tenant_id_timestamp",
    "idx_audit_logs_user_id_timestamp",
    "idx_audit_logs_event_type_timestamp",
    "idx_audit_logs_severity_timestamp",
    "idx_locks_resource_tenant_id",
    "idx_locks_acquired_at",
    "idx_tenant_user_identifiers_value_platform",
    "idx_tenant_user_identifiers_tenant_id",
)


def upgrade() -> None:
    """Build them beside running traffic; a second run goes on where the first was interrupted."""
    with steps.concurrently():
        _index_sessions()
        _index_audit_logs()
        _index_locks()
        _index_tenant_user_identifiers()


def downgrade() -> None:
    """Drop them beside running traffic."""
    with steps.concurrently():
        for name in reversed(NAMES):
            steps.drop_index(name)


def _index_sessions() -> None:
    steps.create_index("idx_sessions_tenant_id_created_at", "sessions", ["tenant_id", "created_at DESC"])
    steps.create_index("idx_sessions_user_id_created_at", "sessions", ["user_id", "created_at DESC"])
    steps.create_index("idx_sessions_state", "sessions", ["state"], postgresql_where=sa.text("state = 'active'"))
    steps.create_index("idx_sessions_tenant_id_identifier_id", "sessions", ["tenant_id", "identifier_id"])


def _index_audit_logs() -> None:
    table = "audit_logs"
    steps.create_index("idx_audit_logs_tenant_id_timestamp", table, ["tenant_id", "timestamp DESC"])
    steps.create_index("idx_audit_logs_user_id_timestamp", table, ["user_id", "timestamp DESC"])
    steps.create_index("idx_audit_logs_event_type_timestamp", table, ["event_type", "timestamp DESC"])
    steps.create_index(
        "idx_audit_logs_severity_timestamp",
        table,
        ["severity", "timestamp DESC"],
        postgresql_where=sa.text("severity IN ('critical', 'error')"),
    )


def _index_locks() -> None:
    steps.create_index("idx_locks_resource_tenant_id", "locks", ["resource", "tenant_id"], unique=True)
    steps.create_index(
        "idx_locks_acquired_at", "locks", ["acquired_at"], postgresql_where=sa.text("released_at IS NULL")
    )


def _index_tenant_user_identifiers() -> None:
    table = "tenant_user_identifiers"
    live = sa.text("deleted_at IS NULL")
    steps.create_index(
        "idx_tenant_user_identifiers_value_platform",
        table,
        ["identifier_value", "platform"],
        unique=True,
        postgresql_include=["tenant_id"],
        postgresql_where=live,
    )
    steps.create_index("idx_tenant_user_identifiers_tenant_id", table, ["tenant_id", "user_id"], postgresql_where=live)
