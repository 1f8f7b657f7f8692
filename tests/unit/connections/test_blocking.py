"""Trees out of edges: long queues, cycles, and those who are gone between two looks."""

from dbvitals.analyse.blocking import TreeContext, blocking_trees
from dbvitals.analyse.connection_report import Blocker
from dbvitals.snapshot_activity import Session
from tests.unit.connections.builders import session, snapshot

PLAIN = TreeContext()


def waiter(pid: int, *blockers: int) -> Session:
    return session(pid, "active", wait_event_type="Lock", blocked_by=blockers)


def shape(tree: Blocker) -> tuple[int, list[object]]:
    return tree.pid, [shape(child) for child in tree.blocks]


def test_a_queue_hangs_below_its_root_and_not_one_below_the_other() -> None:
    """Everybody is blocked by all before him: 2**n paths lead to the last one."""
    waiters = [waiter(n, *range(1, n)) for n in range(2, 400)]
    (tree,) = blocking_trees(snapshot(session(1, "idle in transaction"), *waiters), PLAIN)
    assert tree.victims == 398
    assert [child.pid for child in tree.blocks] == list(range(2, 400))


def test_a_chain_as_long_as_the_server_has_connections_is_no_trouble() -> None:
    chain = [waiter(n, n - 1) for n in range(2, 3000)]
    (tree,) = blocking_trees(snapshot(session(1, "active"), *chain), PLAIN)
    assert tree.victims == 2998


def test_trap_28_a_cycle_gets_one_root_and_everybody_behind_it_a_place() -> None:
    (tree,) = blocking_trees(snapshot(waiter(5, 7), waiter(7, 5), waiter(9, 7)), PLAIN)
    assert tree.deadlock
    assert shape(tree) == (5, [(7, [(9, [])])])


def test_a_blocker_that_ended_between_two_looks_is_still_the_root() -> None:
    (tree,) = blocking_trees(snapshot(waiter(5, 4)), PLAIN)
    assert (tree.pid, tree.kind, tree.statement) == (4, "gone: it ended between two looks", None)


def test_trees_come_by_how_long_their_victims_have_waited() -> None:
    sessions = [session(1, "active"), session(2, "active"), waiter(3, 1), waiter(10, 2)]
    assert [tree.pid for tree in blocking_trees(snapshot(*sessions), PLAIN)] == [2, 1]


def test_trap_30_nothing_is_offered_against_autovacuum_or_a_walsender() -> None:
    for kind in ("autovacuum worker", "walsender", None):
        (tree,) = blocking_trees(snapshot(session(1, "active", backend_type=kind), waiter(3, 1)), PLAIN)
        assert tree.statement is None
