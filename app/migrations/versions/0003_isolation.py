"""Keep tenants apart by row level security, give the service its rights, and record every change of a row.

From here on a login sees rows only as a member of hotel_service or hotel_admin (or as a superuser). The roles
belong to the whole server, so taking this back leaves them there; it does drop the key of the audit trail's
hashes, and hashes by another key cannot be compared with those.
"""

from alembic import op

from app.db import protection
from app.db.ddl import read_sql
from app.migrations import steps

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COMMON = (
    "make_roles.sql",
    "audit_keys.sql",
    "make_audit_key.sql",
    "audit_hash.sql",
    "audit_change.sql",
    "own_audit_functions.sql",
    "append_only.sql",
)
ISOLATED = ("tenants", "tenant_user_identifiers", "sessions", "locks")
SEARCHED = ("tenants", "tenant_user_identifiers", "audit_logs")


def upgrade() -> None:
    """Make what all tables share, then protect table by table."""
    steps.set_timeouts()
    for name in COMMON:
        op.execute(read_sql(name))
    for statement in _protection():
        op.execute(statement)


def downgrade() -> None:
    """Open the tables again, to their owner only."""
    steps.set_timeouts()
    for table in (*ISOLATED, "audit_logs"):
        for statement in protection.expose(table):
            op.execute(statement)
    op.drop_table("audit_keys")
    for function in ("append_only()", "audit_change()", "audit_hash(text)"):
        op.execute(f"DROP FUNCTION {function}")


def _protection() -> list[str]:
    return [
        *protection.isolate("tenants", service_may="SELECT, UPDATE"),
        *protection.isolate("tenant_user_identifiers"),
        *protection.isolate("sessions"),
        *protection.isolate("locks"),
        *protection.isolate_trail("audit_logs"),
        *(statement for table in SEARCHED for statement in protection.let_search(table)),
        protection.audit("tenants"),
        protection.audit("tenant_user_identifiers", sensitive=["identifier_value"]),
        protection.audit("sessions", sensitive=["context"]),
        protection.audit("locks", heartbeat=["expires_at"]),
    ]
