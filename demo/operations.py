"""What the service does with its database: each operation as the statements that it consists of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import psycopg

from demo.queries import load

Values = Mapping[str, object]
"""Parameters by name; every operation gets all of them and takes its own."""

Run = Callable[[psycopg.Connection, Values], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that the service does; `weight` is how often, in relation to the others."""

    name: str
    weight: int
    run: Run


def _execute(connection: psycopg.Connection, name: str, values: Values) -> psycopg.Cursor:
    return connection.execute(load(f"traffic/{name}"), values)


def _ask(name: str, connection: psycopg.Connection, values: Values) -> None:
    """Run a single query and read its rows."""
    _execute(connection, name, values).fetchall()


def _change(name: str, connection: psycopg.Connection, values: Values) -> None:
    """Run a single change."""
    _execute(connection, name, values)


def _take_message(connection: psycopg.Connection, values: Values) -> None:
    """A guest writes: find the tenant, go on with the conversation or start one, write the audit trail."""
    with connection.transaction():
        _ask("resolve_identifier", connection, values)
        found = _execute(connection, "current_session", values).fetchone()
        if found is None:
            _change("insert_session", connection, values)
        else:
            _change("update_session", connection, {**values, "session": found[1], "version": found[2]})
        _change("insert_audit", connection, values)


def _close_session(connection: psycopg.Connection, values: Values) -> None:
    with connection.transaction():
        found = _execute(connection, "current_session", values).fetchone()
        if found is not None:
            _change("close_session", connection, {**values, "session": found[1], "version": found[2]})
            _change("insert_audit", connection, values)


def _work_under_lock(connection: psycopg.Connection, values: Values) -> None:
    """Take a lease, keep it for longer, give it back; nothing more when another holds it."""
    taken = _execute(connection, "acquire_lock", values).fetchone()
    if taken is not None:
        _change("renew_lock", connection, {**values, "lock": taken[0], "token": taken[1]})
        _change("release_lock", connection, values)


def _read_audit(connection: psycopg.Connection, values: Values) -> None:
    """The guide's pagination, and a look at the first event of the page."""
    _ask("audit_count", connection, values)
    first = _execute(connection, "audit_page", values).fetchone()
    if first is not None:
        _ask("audit_entry", connection, {**values, "entry": first[0]})


OPERATIONS = (
    Operation(name="resolve", weight=220, run=partial(_ask, "resolve_identifier")),
    Operation(name="message", weight=200, run=_take_message),
    Operation(name="user sessions", weight=100, run=partial(_ask, "user_sessions")),
    Operation(name="newest sessions", weight=80, run=partial(_ask, "newest_sessions")),
    Operation(name="lease", weight=80, run=_work_under_lock),
    Operation(name="audit page", weight=80, run=_read_audit),
    Operation(name="audit of user", weight=60, run=partial(_ask, "audit_of_user")),
    Operation(name="tenant settings", weight=50, run=partial(_ask, "tenant_settings")),
    Operation(name="close session", weight=40, run=_close_session),
    Operation(name="tenant users", weight=30, run=partial(_ask, "tenant_users")),
    Operation(name="identifier sessions", weight=20, run=partial(_ask, "identifier_sessions")),
    Operation(name="alerts", weight=20, run=partial(_ask, "audit_alerts")),
    Operation(name="audit of event type", weight=10, run=partial(_ask, "audit_of_event_type")),
    Operation(name="active sessions", weight=5, run=partial(_ask, "active_sessions")),
    Operation(name="expired locks", weight=5, run=partial(_change, "expired_locks")),
)

AUDIT_OF_REQUEST = Operation(name="audit of request", weight=0, run=partial(_ask, "audit_of_request"))
"""What the service does not do by itself: a planted fault of the workload."""
