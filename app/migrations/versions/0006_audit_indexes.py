"""Build the indexes that find audit rows by their arrival, and by what their details say.

Why each is as it is stands beside its declaration in app/db/tables.py.
"""

from app.migrations import steps

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build them beside running traffic; a second run goes on where the first was interrupted."""
    with steps.concurrently():
        steps.create_index(
            "idx_audit_logs_arrival",
            "audit_logs",
            ["arrival", "timestamp"],
            postgresql_using="brin",
            postgresql_with={"pages_per_range": 32, "autosummarize": "on"},
        )
        steps.create_index(
            "idx_audit_logs_tenant_id_details",
            "audit_logs",
            ["tenant_id", "(details::text) gin_trgm_ops"],
            postgresql_using="gin",
        )


def downgrade() -> None:
    """Drop them beside running traffic."""
    with steps.concurrently():
        steps.drop_index("idx_audit_logs_tenant_id_details")
        steps.drop_index("idx_audit_logs_arrival")
