"""Make room holds, and let the service ask which tenant an identifier belongs to and hear when that changes."""

import sqlalchemy as sa
from alembic import op

from app.db import protection
from app.db.ddl import read_sql
from app.migrations import steps

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")
RESOLUTION = (
    "resolve_tenant.sql",
    "own_resolve_tenant.sql",
    "announce_identifier.sql",
    "announce_identifier_trigger.sql",
)


def upgrade() -> None:
    """Make the table, which is empty, with its indexes and its protection; then functions and a trigger."""
    steps.set_timeouts()
    _create_room_holds()
    op.create_index("idx_room_holds_tenant_id_room_night", "room_holds", ["tenant_id", "room", "night"], unique=True)
    op.create_index("idx_room_holds_tenant_id_session_id", "room_holds", ["tenant_id", "session_id"])
    op.execute(
        "CREATE TRIGGER set_updated_at BEFORE UPDATE ON room_holds FOR EACH ROW"
        " WHEN ((OLD.*) IS DISTINCT FROM (NEW.*)) EXECUTE FUNCTION set_updated_at()"
    )
    for statement in (*protection.isolate("room_holds"), protection.audit("room_holds")):
        op.execute(statement)
    for name in RESOLUTION:
        op.execute(read_sql(name))


def downgrade() -> None:
    """Drop all of it, with the holds."""
    steps.set_timeouts()
    op.execute("DROP TRIGGER announce_identifier ON tenant_user_identifiers")
    op.execute("DROP FUNCTION announce_identifier()")
    op.execute("DROP FUNCTION resolve_tenant(text, text)")
    op.drop_table("room_holds")


def _create_room_holds() -> None:
    op.create_table(
        "room_holds",
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.Uuid, server_default=sa.text("uuid7()"), nullable=False),
        sa.Column("session_id", sa.Uuid, nullable=False),
        sa.Column("room", sa.Text, nullable=False),
        sa.Column("night", sa.Date, nullable=False),
        sa.Column("state", sa.Text, server_default="held", nullable=False),
        sa.Column("held_until", TIME, nullable=False),
        sa.Column("fencing_token", sa.BigInteger, nullable=False),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIME, server_default=NOW, nullable=False),
        sa.Column("deleted_at", TIME),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("room_holds_pkey")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("room_holds_tenant_id_fkey")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "session_id"],
            ["sessions.tenant_id", "sessions.id"],
            name=op.f("room_holds_tenant_id_session_id_fkey"),
        ),
        _check("room_length", "char_length(room) BETWEEN 1 AND 50"),
        _check("state", "state IN ('held', 'confirmed', 'cancelled')"),
        _check("fencing_token", "fencing_token >= 1"),
    )


def _check(name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"room_holds_{name}_check"))
