"""A session in words: what it is doing, who its client is, its query without literals."""

from dbvitals.analyse.redact import without_literals
from dbvitals.snapshot_activity import Session

IDLE_IN_TRANSACTION = ("idle in transaction", "idle in transaction (aborted)")
ACTIVE = ("active", "fastpath function call")
STATES = ("active", "idle", *IDLE_IN_TRANSACTION, "fastpath function call", "disabled")
"""The six that every supported version has."""
STARTING = "starting"
"""Since 18; before, a session that is just starting has none, while its type is there already."""


def is_hidden(session: Session) -> bool:
    """Whether this login cannot see into it: then even its type is not told."""
    return session.backend_type is None


def is_idle_in_transaction(session: Session) -> bool:
    """Aborted transactions hold their connection as well."""
    return session.state in IDLE_IN_TRANSACTION


def client(session: Session) -> str | None:
    """Where the client is: address and port, or the machine itself."""
    if session.client_address is None:
        return None if is_hidden(session) else "unix socket"
    address = f"[{session.client_address}]" if ":" in session.client_address else session.client_address
    return f"{address}:{session.client_port}" if session.client_port else address


def wait_event(session: Session) -> str | None:
    """Type and name, as in `Lock:transactionid`."""
    return f"{session.wait_event_type}:{session.wait_event}" if session.wait_event_type else None


def query_text(session: Session, *, show_literals: bool) -> str | None:
    """The query, with its literals only where that is asked for."""
    if session.query is None or show_literals:
        return session.query
    return without_literals(session.query)


def activity(session: Session) -> str:
    """What it is doing; an active session need not be working."""
    if is_hidden(session):
        return "hidden from this login"
    if session.state != "active":
        return session.state or STARTING
    match session.wait_event_type, session.wait_event:
        case "Lock", event:
            return f"waits for a lock ({event})"
        case "Client", "ClientWrite":
            return "waits for its client to take the rows"
        case "Client", "ClientRead":
            return "waits for its client to send more"
        case "IPC", "SyncRep":
            return "waits for a standby to confirm"
        case "IO", event:
            return f"waits for the disk ({event})"
        case None, _:
            return "working"
        case kind, event:
            return f"waits ({kind}:{event})"


def waits_for_client(session: Session) -> bool:
    """Whether a faster query would not help: the client is the slow one."""
    return session.state == "active" and session.wait_event_type == "Client"
