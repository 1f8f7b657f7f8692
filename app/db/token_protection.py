"""What protects the table of tokens: kept by the admin's role alone, and read by the function that checks one.

As in app/db/protection.py: released migrations run these words, so they are never edited.
"""

from app.db.protection import ADMIN, audit, let_search


def keep_tokens(table: str = "api_tokens") -> list[str]:
    """Give the service no right at all: it asks find_api_token(), which knows a token by its whole key only."""
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY admin ON {table} TO {ADMIN} USING (true) WITH CHECK (true)",
        f"GRANT SELECT, INSERT, UPDATE ON {table} TO {ADMIN}",
        *let_search(table),
        audit(table, sensitive=["secret_hash"]),
    ]
