"""What a session without a state is: hidden from the login, or just starting (before PostgreSQL 18)."""

from dbvitals.analyse.connections import analyse_connections
from dbvitals.snapshot_activity import HorizonHolder
from tests.unit.connections.builders import question, report, session, snapshot

STARTING = session(9, None, backend_type="client backend", state_seconds=None)


def test_a_session_that_is_starting_is_not_hidden() -> None:
    summary = report(session(2), session(3, "active"), STARTING).summary
    assert summary.hidden_connections == 0
    assert (summary.active_connections, summary.idle_connections, summary.other_connections) == (1, 1, 1)


def test_a_session_that_is_starting_asks_for_no_right() -> None:
    assert report(session(2), STARTING).incomplete == ()
    (part,) = report(session(2), session(3, None), STARTING).incomplete
    assert part.why == "this login cannot see into 1 of 3 sessions"


def test_a_session_that_is_starting_is_called_so() -> None:
    found = report(STARTING, session(3, None))
    assert {row.pid: row.activity for row in found.connections} == {9: "starting", 3: "hidden from this login"}
    counts = {group.state: group.connections for group in found.by_state}
    assert (counts["starting"], counts["unknown"]) == (1, 1)


def test_a_session_that_is_starting_over_a_unix_socket_is_there() -> None:
    found = report(
        session(9, None, backend_type="client backend", client_address=None), session(3, None, client_address=None)
    )
    assert {row.pid: row.client for row in found.connections} == {9: "unix socket", 3: None}


def test_an_application_whose_session_is_starting_has_its_figures() -> None:
    (group,) = report(session(2), STARTING).by_application
    assert (group.total, group.active, group.idle) == (2, 0, 1)
    (hidden,) = report(session(2), session(3, None)).by_application
    assert (hidden.total, hidden.active, hidden.idle) == (2, None, None)


def test_a_leak_keeps_rows_from_vacuum_even_if_ten_others_keep_older_ones() -> None:
    """The list of who holds the horizon is short; a session's own xmin and transaction id are always there."""
    older = tuple(HorizonHolder(kind="session", name="old", pid=100 + n, age=50) for n in range(10))
    leaks = (
        session(2, "idle in transaction", state_seconds=48.0, xmin_age=3),
        session(3, "idle in transaction", state_seconds=48.0, has_xid=True),
        session(4, "idle in transaction", state_seconds=48.0),
    )
    found = analyse_connections(snapshot(*leaks, horizon=older), question())
    severities = {f.subject.name: f.severity for f in found.findings if f.rule == "CON007"}
    assert severities == {"pid 2": "medium", "pid 3": "medium", "pid 4": "info"}
