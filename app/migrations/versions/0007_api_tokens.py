"""Make the table of tokens, and let the service ask whether one is good."""

import sqlalchemy as sa
from alembic import op

from app.db.ddl import read_sql
from app.db.token_protection import keep_tokens
from app.migrations import steps

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    """Make the table, which is empty, with its index and its protection; then the function that reads it."""
    steps.set_timeouts()
    op.create_table(
        "api_tokens",
        sa.Column("tenant_id", sa.Uuid, nullable=False),
        sa.Column("id", sa.Uuid, server_default=sa.text("uuid7()"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", TIME),
        sa.Column("created_at", TIME, server_default=NOW, nullable=False),
        sa.Column("updated_at", TIME, server_default=NOW, nullable=False),
        sa.Column("deleted_at", TIME),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("api_tokens_pkey")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("api_tokens_tenant_id_fkey")),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 100", name=op.f("api_tokens_name_length_check")),
        sa.CheckConstraint("octet_length(secret_hash) = 32", name=op.f("api_tokens_secret_hash_check")),
    )
    op.create_index("idx_api_tokens_id", "api_tokens", ["id"], unique=True)
    op.execute(
        "CREATE TRIGGER set_updated_at BEFORE UPDATE ON api_tokens FOR EACH ROW"
        " WHEN ((OLD.*) IS DISTINCT FROM (NEW.*)) EXECUTE FUNCTION set_updated_at()"
    )
    for statement in keep_tokens():
        op.execute(statement)
    for name in ("find_api_token.sql", "own_find_api_token.sql"):
        op.execute(read_sql(name))


def downgrade() -> None:
    """Drop all of it: no token is good any more."""
    steps.set_timeouts()
    op.execute("DROP FUNCTION find_api_token(uuid)")
    op.drop_table("api_tokens")
