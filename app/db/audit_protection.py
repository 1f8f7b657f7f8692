"""What protects the counts and seals of the audit trail: kept by the admin's role, read by a tenant's service.

As in app/db/protection.py: released migrations run these words, so they are never edited.
"""

from app.db.protection import ADMIN, AUDIT, OWN_TENANT, SEARCH, SERVICE

# Whoever writes to the audit trail draws a number from it.
ARRIVALS_RIGHTS = f"GRANT USAGE ON SEQUENCE audit_arrivals TO {SERVICE}, {ADMIN}, {AUDIT}"

APPEND_ONLY = "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE"


def keep_days(table: str = "audit_days") -> list[str]:
    """Let the service read its tenant's counts, the admin's role keep all, and search functions read them."""
    return [
        *_force(table),
        f"GRANT SELECT ON {table} TO {SERVICE}, {SEARCH}",
        f"GRANT SELECT, INSERT, UPDATE ON {table} TO {ADMIN}",
        f"CREATE POLICY search ON {table} FOR SELECT TO {SEARCH} USING (true)",
    ]


def keep_seals(table: str = "audit_seals") -> list[str]:
    """Let the service read its tenant's seals, and the admin's role add some; nobody changes one."""
    return [
        *_force(table),
        f"GRANT SELECT ON {table} TO {SERVICE}",
        f"GRANT SELECT, INSERT ON {table} TO {ADMIN}",
        f"{APPEND_ONLY} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION append_only()",
    ]


def _force(table: str) -> list[str]:
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY service ON {table} FOR SELECT TO {SERVICE} USING ({OWN_TENANT})",
        f"CREATE POLICY admin ON {table} TO {ADMIN} USING (true) WITH CHECK (true)",
    ]
