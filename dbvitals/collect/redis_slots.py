"""Which slots of a cluster went from one node to another, and how many keys that concerns at most."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import hiredis

from dbvitals.collect.redis_wire import RefusedError, Wire
from dbvitals.errors import ServerError
from dbvitals.model import Skipped

SLOTS = 16_384

Place = tuple[str, int]
Owners = dict[int, tuple[Place, ...]]
"""The nodes that have each slot: its primary, then its replicas. A slot that nobody serves is missing."""

_OPEN = re.compile(rb"\[(\d+)-[<>]-")
"""A slot that is being moved, as a node says of itself in CLUSTER NODES."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotChange:
    """What became of the slots during a pass.

    `moved` went to a node that did not have them, or were on their way before or after. `keys` is how many there are in
    these now, None when that may not be asked. `other_primaries`: a slot has another primary, or none.
    """

    moved: frozenset[int] = frozenset()
    keys: int | None = 0
    other_primaries: bool = False

    @property
    def happened(self) -> bool:
        """Whether it is another topology, or was about to be."""
        return bool(self.moved) or self.other_primaries


def owners_by(wire: Wire) -> Owners:
    """Ask a node for the whole map. Raises ServerError when that is denied, LostError."""
    try:
        answer = wire.call("CLUSTER", "SLOTS")
    except RefusedError as error:
        raise ServerError(
            f"{wire.name} does not tell the nodes of its cluster: {error.text}", mend="the login needs +cluster|slots"
        ) from error
    owners: Owners = {}
    for first, last, *nodes in answer:
        # A node that does not know its own name means the address that it was asked at.
        places = tuple(((node[0] or b"").decode() or wire.target.host, node[1]) for node in nodes)
        owners |= dict.fromkeys(range(first, last + 1), places)
    return owners


def as_they_claim(owners: Owners, claims: Iterable[tuple[Place, Owners]]) -> Owners:
    """The map of one node, but each primary has the slots that it says itself: others hear of a move later."""
    found = dict(owners)
    for place, own in claims:
        found |= {slot: nodes for slot, nodes in own.items() if nodes[0] == place}
    return found


def primaries_of(owners: Owners) -> list[Place]:
    """Every primary that serves a slot, sorted."""
    return sorted({places[0] for places in owners.values()})


def open_slots(wires: Iterable[Wire]) -> frozenset[int]:
    """Slots on their way from or to one of these nodes; none where CLUSTER NODES is denied. Raises LostError."""
    found: set[int] = set()
    for wire in wires:
        try:
            answer = wire.call("CLUSTER", "NODES")
        except RefusedError:
            continue
        found.update(map(int, _OPEN.findall(answer)))
    return frozenset(found)


def slot_change(
    before: Owners, maps: Iterable[Owners], open_ones: frozenset[int], heirs: Mapping[Place, Place]
) -> SlotChange:
    """Compare the map of before with those that the nodes have now; `keys` is still to be counted.

    A failover moves no slot: the keys stay where they are, on what was the primary and on what is it now. Not every
    node has heard yet who follows whom; `heirs` is what the former primaries themselves say.
    """
    moved, others = set(open_ones), False
    for now in maps:
        others = others or now.keys() != before.keys()
        for slot in now.keys() & before.keys():
            new, old = now[slot][0], before[slot][0]
            others = others or new != old
            if new not in before[slot] and old not in now[slot] and heirs.get(old) != new:
                moved.add(slot)
    return SlotChange(moved=frozenset(moved), other_primaries=others)


def keys_in(slots: Collection[int], wires: Iterable[Wire]) -> int | None:
    """Keys in these slots, on whichever of the nodes; None where one does not tell. Raises LostError."""
    keys = 0
    for wire in wires:
        wire.send([("CLUSTER", "COUNTKEYSINSLOT", slot) for slot in sorted(slots)])
        answers = wire.receive(len(slots))
        if any(isinstance(answer, hiredis.ReplyError) for answer in answers):
            return None
        keys += sum(answers)
    return keys


def note_of(change: SlotChange, *, oldest: str) -> Skipped | None:
    """What the user has to know of it: how far the counts may be off; `oldest` is the version of a node."""
    if not change.moved:
        return None
    slots = "1 slot" if len(change.moved) == 1 else f"{len(change.moved):,} slots"
    if change.keys is None:
        far, mend = "how many keys is not known", "allow +cluster|countkeysinslot, and run again after the resharding"
    else:
        keys = "1 key" if change.keys == 1 else f"{change.keys:,} keys"
        far, mend = f"{keys} at the most", "run again after the resharding"
    # Redis 6 looks such a key up, and counts that, to find out whether to redirect.
    extra = (
        ", and up to 4 hits or misses of ours for each are taken for the clients'" if oldest.startswith("6.") else ""
    )
    return Skipped(
        part="keys in slots that moved",
        why=f"{slots} went from node to node during the pass: {far} may be counted twice or not at all{extra}",
        mend=mend,
    )
