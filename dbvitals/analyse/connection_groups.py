"""Sessions in groups: by state, by application, and those that are not the pool's."""

from collections import defaultdict
from collections.abc import Sequence

from dbvitals.analyse.connection_report import ApplicationConnections, OtherDatabase, StateConnections
from dbvitals.analyse.session_text import ACTIVE, STARTING, STATES, is_hidden, is_idle_in_transaction
from dbvitals.snapshot_activity import ActivitySnapshot, Session

HIDDEN = "unknown"


def by_state(mine: Sequence[Session]) -> tuple[StateConnections, ...]:
    """How many are in each state, those that nobody is in included."""
    ages: dict[str, list[float]] = {state: [] for state in STATES}
    counts: dict[str, int] = dict.fromkeys(STATES, 0)
    for session in mine:
        state = session.state or (HIDDEN if is_hidden(session) else STARTING)
        counts[state] = counts.get(state, 0) + 1
        if session.state_seconds is not None:
            ages.setdefault(state, []).append(session.state_seconds)
    return tuple(
        StateConnections(state=state, connections=number, longest_seconds=max(ages.get(state, ()), default=None))
        for state, number in counts.items()
    )


def by_application(mine: Sequence[Session]) -> tuple[ApplicationConnections, ...]:
    """How many each application has under each role, most first."""
    groups: dict[tuple[str, str | None], list[Session]] = defaultdict(list)
    for session in mine:
        groups[(session.application_name, session.user)].append(session)
    rows = [_application(name, user, group) for (name, user), group in groups.items()]
    return tuple(sorted(rows, key=lambda row: (-row.total, row.application_name, row.user or "")))


def _application(name: str, user: str | None, group: Sequence[Session]) -> ApplicationConnections:
    known = not any(is_hidden(session) for session in group)
    return ApplicationConnections(
        application_name=name,
        user=user,
        total=len(group),
        active=sum(session.state in ACTIVE for session in group) if known else None,
        idle=sum(session.state == "idle" for session in group) if known else None,
        idle_in_transaction=sum(is_idle_in_transaction(session) for session in group) if known else None,
    )


def other_databases(snapshot: ActivitySnapshot) -> tuple[OtherDatabase, ...]:
    """Clients elsewhere; those of this database that another role or application has are named after it, too."""
    counts: dict[str, int] = defaultdict(int)
    for session in snapshot.sessions:
        if not session.mine and session.backend_type in ("client backend", None):
            counts[session.database or "none"] += 1
    return tuple(
        OtherDatabase(database=name, connections=number)
        for name, number in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
