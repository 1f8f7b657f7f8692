"""What earlier runs of dbvitals have read of a Redis: the server counts it among the clients' hits and misses."""

from collections.abc import Iterable, Mapping

from msgspec import structs

from dbvitals.analyse.hit_ratio import broken, less, more
from dbvitals.snapshot_keyspace import Counters, KeyspaceSnapshot, Looks

INSPECTIONS_A_READ = 1.5
OTHER_INSPECTIONS = 1_000
"""A run makes about one call of TYPE, OBJECT or MEMORY for each hit or miss that it causes, and some for the largest
keys. If there were many more meanwhile, others have looked as well."""


def with_own_reads(
    snapshot: KeyspaceSnapshot, known: Iterable[Counters], last: Mapping[str, Looks]
) -> KeyspaceSnapshot:
    """Add to a snapshot what the runs had read whose last counters are `known`.

    `last` are the looks at keys of each node, by anybody, when all of this run was done.
    """
    earlier = list(known)
    before = {one.node: _begun(one, earlier) for one in snapshot.before}
    return structs.replace(
        snapshot,
        before=tuple(before.values()),
        after=tuple(_ended(one, before[one.node], last.get(one.node)) for one in snapshot.after),
    )


def last_counters(snapshot: KeyspaceSnapshot) -> tuple[Counters, ...]:
    """The newest counters of each node: those at the end, unless it went away before."""
    return tuple(({one.node: one for one in snapshot.before} | {one.node: one for one in snapshot.after}).values())


def _begun(now: Counters, known: Iterable[Counters]) -> Counters:
    """The first counters of this run, with what others had read; of several files the one that knows most."""
    same = [one for one in known if one.run_id == now.run_id and not broken(one, now)]
    if not same:
        return now
    most = max(same, key=lambda one: (one.own_hits + one.own_misses, one.at))
    return structs.replace(now, own_hits=most.own_hits, own_misses=most.own_misses, own_looks=most.own_looks)


def _ended(now: Counters, begun: Counters, looks: Looks | None) -> Counters:
    """The last counters of this run: what it has read itself comes on top of what others had read."""
    own_looks = begun.own_looks
    if looks is not None and begun.looks is not None:
        own_looks = more(own_looks, _own_looks(less(looks, begun.looks), now.own_hits + now.own_misses))
    return structs.replace(
        now,
        own_hits=begun.own_hits + now.own_hits,
        own_misses=begun.own_misses + now.own_misses,
        looks=looks,
        own_looks=own_looks,
    )


def _own_looks(meanwhile: Looks, reads: int) -> Looks:
    """Of all looks during a run, those of its own; the clients may have used PTTL, and another run have gone on."""
    others = meanwhile.inspections > INSPECTIONS_A_READ * reads + OTHER_INSPECTIONS
    share = reads / meanwhile.reads if others and meanwhile.reads else 1.0
    part = Looks(
        pttl=0,
        type=round(share * meanwhile.type),
        object=round(share * meanwhile.object),
        memory=round(share * meanwhile.memory),
        fields=round(share * meanwhile.fields),
    )
    return structs.replace(part, pttl=max(0, min(meanwhile.pttl, reads - part.reads)))
