"""The statement that ends one session's transaction, and no other's: printed for a person, never run."""

from datetime import UTC, datetime

from dbvitals.analyse.connection_report import Connection
from dbvitals.analyse.session_text import IDLE_IN_TRANSACTION
from dbvitals.snapshot_activity import Session


def ending_statement(session: Session | Connection) -> str | None:
    """SQL that does nothing once the session has moved on, or its process id is another's.

    None where the session is hidden or does nothing. A query is cancelled, and its session goes on; an idle
    transaction can only be ended with its session. To be asked for clients only: autovacuum and WAL senders stay.
    """
    start, change = session.backend_start, session.state_change
    if start is None or change is None:
        return None
    if session.state in IDLE_IN_TRANSACTION:
        call = "pg_terminate_backend(pid, 5000)"
    elif session.state == "active":
        call = "pg_cancel_backend(pid)"
    else:
        return None
    return (  # printed, never run; all of its values are the server's own
        f"SELECT {call} FROM pg_stat_activity WHERE pid = {session.pid} AND backend_start = '{_exact(start)}'"  # noqa: S608
        f" AND state = '{session.state}' AND state_change = '{_exact(change)}';"
    )


def _exact(moment: datetime) -> str:
    """To the microsecond, as the server keeps it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00"
