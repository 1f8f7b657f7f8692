"""Which slots went from node to node, by what the nodes say of them."""

from dbvitals.collect.redis_slots import Owners, as_they_claim, slot_change

A, B, C = ("a", 1), ("b", 1), ("c", 1)


def test_a_node_that_has_not_heard_of_an_earlier_move_is_not_believed() -> None:
    """It still has slot 2 where that went before the pass; and during the pass it went back there."""
    late: Owners = {1: (A,), 2: (B,), 3: (C,)}
    before = as_they_claim(late, [(A, {1: (A,), 2: (B,)}), (B, {3: (C,)}), (C, {2: (C,), 3: (C,)})])
    assert before == {1: (A,), 2: (C,), 3: (C,)}
    assert slot_change(before, [late], frozenset(), {}).moved == {2}
    assert slot_change(late, [late], frozenset(), {}).moved == set()


def test_a_failover_moves_no_slot() -> None:
    before: Owners = {1: (A, B)}
    change = slot_change(before, [{1: (B, A)}], frozenset(), {})
    assert (set(change.moved), change.other_primaries, change.happened) == (set(), True, True)
