"""Who waits for whom: the edges of pg_blocking_pids as trees, one for each root that holds the others up."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dbvitals.analyse.connection_report import Blocker, HeldBy
from dbvitals.analyse.session_text import query_text
from dbvitals.analyse.termination import ending_statement
from dbvitals.snapshot_activity import ActivitySnapshot, AwaitedLock, Session

Key = tuple[int, str]
"""A process id, or 0 and the gid of a prepared transaction, empty where it is not known."""


@dataclass(slots=True)
class _Graph:
    """Edges from victims to blockers, and back."""

    blockers: dict[Key, tuple[Key, ...]]
    victims: dict[Key, list[Key]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for victim, keys in sorted(self.blockers.items()):
            for key in keys:
                self.victims[key].append(victim)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Who stands below whom, roots included, in the order in which they were reached."""

    order: tuple[Key, ...]
    children: Mapping[Key, list[Key]]
    roots: tuple[Key, ...]
    deadlocked: frozenset[Key]


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeContext:
    """What the nodes of the trees are described with."""

    held_by: Mapping[int, HeldBy] = field(default_factory=dict)
    show_literals: bool = False


def blocking_trees(snapshot: ActivitySnapshot, context: TreeContext) -> tuple[Blocker, ...]:
    """The trees, worst first: the root whose victims have waited longest in all."""
    placed = _place(_graph(snapshot))
    sessions = {session.pid: session for session in snapshot.sessions}
    awaited = {lock.pid: lock for lock in snapshot.awaited}
    holds = _held_targets(snapshot)
    built: dict[Key, Blocker] = {}
    # From the leaves up, without recursion: a chain may be as long as the server has connections.
    for key in reversed(placed.order):
        blocks = tuple(built[child] for child in placed.children.get(key, ()))
        built[key] = _node(key, sessions.get(key[0]), awaited.get(key[0]), holds.get(key, ()), blocks, placed, context)
    return tuple(sorted((built[root] for root in placed.roots), key=lambda b: (-b.victim_seconds, b.pid, b.gid or "")))


def _graph(snapshot: ActivitySnapshot) -> _Graph:
    gids = {lock.pid: lock.prepared_gids for lock in snapshot.awaited}
    blockers = {
        (session.pid, ""): tuple(key for pid in session.blocked_by for key in _keys(pid, gids.get(session.pid, ())))
        for session in snapshot.sessions
        if session.blocked_by
    }
    return _Graph(blockers)


def _keys(pid: int, gids: tuple[str, ...]) -> Iterable[Key]:
    """Process 0 stands for every prepared transaction that has the lock."""
    return [(0, gid) for gid in gids] or [(0, "")] if pid == 0 else [(pid, "")]


def _place(graph: _Graph) -> _Placed:
    """Give each victim one place: below the nearest of its blockers, seen from the roots.

    In a queue for one lock everybody is blocked by all before him: below the farthest, a queue of n would be n deep.
    """
    roots = sorted(key for key in graph.victims if not graph.blockers.get(key))
    order: list[Key] = []
    children: dict[Key, list[Key]] = defaultdict(list)
    deadlocked: set[Key] = set()
    reached: set[Key] = set()
    waiting = deque(roots)
    reached.update(roots)
    while True:
        while waiting:
            key = waiting.popleft()
            order.append(key)
            for victim in graph.victims.get(key, ()):
                if victim not in reached:
                    reached.add(victim)
                    children[key].append(victim)
                    waiting.append(victim)
        # Who is left waits for one another, until the server sees the deadlock: the first stands for all.
        left = sorted(set(graph.blockers) - reached)
        if not left:
            break
        first = _in_cycle(graph, left[0])
        roots.append(first)
        deadlocked.add(first)
        reached.add(first)
        waiting.append(first)
    return _Placed(tuple(order), children, tuple(roots), frozenset(deadlocked))


def _in_cycle(graph: _Graph, start: Key) -> Key:
    """Follow the blockers until one comes again, and take the lowest of that cycle."""
    path: list[Key] = []
    key = start
    while key not in path:
        path.append(key)
        key = min(blocker for blocker in graph.blockers[key] if blocker in graph.blockers)
    return min(path[path.index(key) :])


def _held_targets(snapshot: ActivitySnapshot) -> dict[Key, tuple[str, ...]]:
    """What each blocker holds that others wait for."""
    found: dict[Key, set[str]] = defaultdict(set)
    for held in snapshot.held:
        found[(held.pid, "")].add(held.target)
    for awaited in snapshot.awaited:
        for gid in awaited.prepared_gids:
            found[(0, gid)].add(awaited.target)
    return {key: tuple(sorted(targets)) for key, targets in found.items()}


def _node(
    key: Key,
    session: Session | None,
    awaited: AwaitedLock | None,
    holds: tuple[str, ...],
    blocks: tuple[Blocker, ...],
    placed: _Placed,
    context: TreeContext,
) -> Blocker:
    return Blocker(
        pid=key[0],
        kind=_kind(key, session),
        gid=key[1] or None,
        user=session.user if session else None,
        application_name=session.application_name if session else "",
        database=session.database if session else None,
        state=session.state if session else None,
        state_seconds=session.state_seconds if session else None,
        transaction_seconds=session.transaction_seconds if session else None,
        query=query_text(session, show_literals=context.show_literals) if session else None,
        holds=holds,
        waits_for=awaited.target if awaited else None,
        waited_seconds=awaited.waited_seconds if awaited else None,
        blocked_by=session.blocked_by if session else (),
        victims=sum(1 + block.victims for block in blocks),
        victim_seconds=round(sum((block.waited_seconds or 0.0) + block.victim_seconds for block in blocks), 3),
        deadlock=key in placed.deadlocked,
        statement=_ending(session) if key in placed.roots else None,
        held_by=context.held_by.get(key[0]),
        blocks=blocks,
    )


def _ending(session: Session | None) -> str | None:
    """Only of a client: autovacuum against wraparound and WAL senders are left alone."""
    return ending_statement(session) if session and session.backend_type == "client backend" else None


def _kind(key: Key, session: Session | None) -> str:
    if key[0] == 0:
        return "prepared transaction"
    if session is None:
        return "gone: it ended between two looks"
    return session.backend_type or "hidden session"
