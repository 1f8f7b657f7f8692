"""What protects a table: row level security, rights, and the triggers of the audit trail; worded as SQL.

Released migrations run what these functions give, so their words are never edited: a change is a new
function and a migration.

Isolation. The service's login is a member of `hotel_service`, owns nothing and cannot bypass row level
security. Its tenant is the transaction-local setting `app.tenant_id`; without one no row is seen. The
setting reads as '' after a transaction that had one, which is no tenant either. Work on all tenants is done
by another login, a member of `hotel_admin`: the service's cannot become it. Neither may DELETE or TRUNCATE.
Since row level security is forced, it holds for a table's owner too (superusers apart): an owner who must
see rows is made a member of `hotel_admin`.

The audit trail is written by a trigger that runs as `hotel_audit`, the only role that may write events named
`row.*`: the service can add events of its own, but cannot forge the record of a change.

Sensitive values (columns with `info={"sensitive": True}`) are recorded as HMAC-SHA256 by a key in
`audit_keys`. Against: a reader of the audit trail (a tenant's staff, a report, a leaked export) who would
learn guests' phone numbers and addresses, also by trying all numbers, which an unkeyed hash would allow. Not
against: superusers, the database's owner, a whole backup; these have the key, and the values themselves.

A heartbeat (`info={"heartbeat": True}`) is a column that tells only that something is still alive, such as
`locks.expires_at`, renewed every few seconds by each holder. Its change alone leaves no audit row: such rows
would outnumber all others, and cost each renewal the six indexes of audit_logs where it writes none of its
own. Whatever else changes brings the column's old and new value along, so grants and releases are recorded
whole.
"""

from collections.abc import Iterable

from sqlalchemy.engine.default import DefaultDialect

SERVICE, ADMIN, SEARCH, AUDIT = "hotel_service", "hotel_admin", "hotel_search", "hotel_audit"
OWN_TENANT = "tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid)"
NO_FORGERY = "event_type NOT LIKE 'row.%'"

_quote = DefaultDialect().identifier_preparer.quote


def isolate(table: str, *, service_may: str = "SELECT, INSERT, UPDATE") -> list[str]:
    """Hold the service to its tenant's rows and to `service_may`; let the admin's role see all tenants."""
    name = _quote(table)
    return [
        *_force(name),
        f"CREATE POLICY service ON {name} TO {SERVICE} USING ({OWN_TENANT}) WITH CHECK ({OWN_TENANT})",
        f"CREATE POLICY admin ON {name} TO {ADMIN} USING (true) WITH CHECK (true)",
        f"GRANT {service_may} ON {name} TO {SERVICE}",
        f"GRANT SELECT, INSERT, UPDATE ON {name} TO {ADMIN}",
    ]


def isolate_trail(table: str) -> list[str]:
    """Isolate the audit trail itself: rows are only added, those of the trigger only by the trigger."""
    name = _quote(table)
    return [
        *_force(name),
        f"CREATE POLICY service ON {name} TO {SERVICE} USING ({OWN_TENANT}) WITH CHECK ({OWN_TENANT} AND {NO_FORGERY})",
        f"CREATE POLICY admin ON {name} TO {ADMIN} USING (true) WITH CHECK ({NO_FORGERY})",
        f"CREATE POLICY audit ON {name} FOR INSERT TO {AUDIT} WITH CHECK (true)",
        f"GRANT SELECT, INSERT ON {name} TO {SERVICE}",
        f"GRANT SELECT, INSERT ON {name} TO {ADMIN}",
        f"GRANT INSERT ON {name} TO {AUDIT}",
        (
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {name}"
            " FOR EACH STATEMENT EXECUTE FUNCTION append_only()"
        ),
    ]


def let_search(table: str) -> list[str]:
    """Let the owner of search functions read all tenants' rows."""
    name = _quote(table)
    return [
        f"CREATE POLICY search ON {name} FOR SELECT TO {SEARCH} USING (true)",
        f"GRANT SELECT ON {name} TO {SEARCH}",
    ]


def audit(table: str, *, sensitive: Iterable[str] = (), heartbeat: Iterable[str] = ()) -> str:
    """Record each change of a row. The table has the columns `tenant_id`, `id` and `updated_at`."""
    arguments = ", ".join(f"'{{{','.join(sorted(columns))}}}'" for columns in (sensitive, heartbeat))
    return (
        f"CREATE TRIGGER audit_change AFTER INSERT OR UPDATE OR DELETE ON {_quote(table)}"
        f" FOR EACH ROW EXECUTE FUNCTION audit_change({arguments})"
    )


def expose(table: str) -> list[str]:
    """Take all of it back: for downgrades."""
    name = _quote(table)
    return [
        *(f"DROP TRIGGER IF EXISTS {trigger} ON {name}" for trigger in ("audit_change", "append_only")),
        *(f"DROP POLICY IF EXISTS {policy} ON {name}" for policy in ("service", "admin", "search", "audit")),
        f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY",
        f"REVOKE ALL ON {name} FROM {SERVICE}, {ADMIN}, {SEARCH}, {AUDIT}",
    ]


def _force(name: str) -> list[str]:
    return [f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY", f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"]
