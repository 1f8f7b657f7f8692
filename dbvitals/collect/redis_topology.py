"""Which nodes make up a Redis: one server, a primary and its replicas, a Sentinel group, a cluster."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from dbvitals.collect.redis_info import Info, never_copied, read_info, role_of
from dbvitals.collect.redis_slots import (
    SLOTS,
    Owners,
    Place,
    SlotChange,
    as_they_claim,
    keys_in,
    open_slots,
    owners_by,
    primaries_of,
    slot_change,
)
from dbvitals.collect.redis_wire import Answer, RefusedError, Wire
from dbvitals.errors import ServerError, UsageError
from dbvitals.model import Skipped
from dbvitals.settings_redis import RedisTarget

Connect = Callable[[RedisTarget], Wire]
Shape = dict[str, tuple[str, str]]
"""Run and role of each server by its name."""

_NODE = "keys of node "


@dataclass(slots=True)
class Group:
    """Connections to all nodes: those whose counters count, and those whose keys are read (a replica may stand in).

    `shape` is what must be the same after the pass, in a cluster `owners` and `open_slots`. `opened` connects to a
    further node. `staying` are those that answer for their keys after a failover too. `beside` are nodes that are asked
    for INFO alone. `skipped` names nodes that could not be reached.
    """

    primaries: list[Wire]
    readers: list[Wire]
    mode: str
    opened: Connect
    shape: Shape = field(default_factory=dict)
    owners: Owners = field(default_factory=dict)
    open_slots: frozenset[int] = frozenset()
    staying: set[str] = field(default_factory=set)
    beside: list[Wire] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def nodes_missing(self) -> int:
        """Primaries of a cluster that could not be reached, and their keys with them."""
        return sum(one.part.startswith(_NODE) for one in self.skipped)

    @property
    def wires(self) -> list[Wire]:
        """Every connection, once."""
        return list({id(wire): wire for wire in (*self.primaries, *self.readers, *self.beside)}.values())


@contextlib.contextmanager
def group_of(target: RedisTarget, connect: Connect, *, master: str | None = None) -> Iterator[Group]:
    """Find and connect to all nodes; closes every connection at the end. Raises ServerError, UsageError."""
    with contextlib.ExitStack() as stack:

        def opened(place: RedisTarget) -> Wire:
            return stack.enter_context(connect(place))

        wire = opened(replace(target, db=0))  # a sentinel knows no SELECT
        info = read_info(wire)
        mode = info.get("redis_mode") or info.get("server_mode")
        if target.db and mode != "sentinel":
            wire.select(target.db)
        if master is not None and mode != "sentinel":
            raise UsageError(
                f"{wire.name} is no sentinel, and --master names one of the primaries that a sentinel watches",
                mend="leave it out, or give the address of a sentinel (usually port 26379)",
            )
        match mode:
            case "sentinel":
                yield _without_touch(_behind_sentinel(wire, target, opened, master))
            case "cluster":
                yield _cluster(wire, target, opened)
            case _:
                yield _without_touch(_single(wire, info, target, opened))


def shape_of(infos: Mapping[str, Info]) -> Shape:
    """What must be the same after the pass, where it is no cluster."""
    return {name: (info.get("run_id", ""), role_of(info)) for name, info in infos.items()}


def change_of(group: Group, infos: Mapping[str, Info]) -> SlotChange:
    """Compare the topology with what it was; `infos` are what those nodes say that still answer.

    Raises ServerError, LostError.
    """
    if group.mode != "cluster":
        before = {name: shape for name, shape in group.shape.items() if name in infos}
        return SlotChange(other_primaries=shape_of(infos) != before)
    wires = [wire for wire in group.readers if wire.name in infos]
    maps = [owners_by(wire) for wire in wires]
    change = slot_change(group.owners, maps, group.open_slots | open_slots(wires), _heirs(wires, infos))
    return replace(change, keys=_keys_of(group, change, maps, wires))


def _heirs(wires: list[Wire], infos: Mapping[str, Info]) -> dict[Place, Place]:
    """For each that is a replica now, the primary that it follows."""
    heirs = {}
    for wire in wires:
        info = infos[wire.name]
        if role_of(info) == "replica":
            heirs[wire.target.host, wire.target.port] = info["master_host"], int(info["master_port"])
    return heirs


def _keys_of(group: Group, change: SlotChange, maps: list[Owners], wires: list[Wire]) -> int | None:
    """Keys that the change concerns; a node that has only now got slots is asked as well."""
    names = {wire.name for wire in wires}
    owners = {now[slot][0] for now in maps for slot in change.moved if slot in now}
    places = [group.readers[0].target.at(host, port) for host, port in sorted(owners)]
    try:
        others = [group.opened(place) for place in places if place.name not in names]
    except ServerError:
        return None
    return keys_in(change.moved, [*wires, *others])


def _single(wire: Wire, info: Info, target: RedisTarget, opened: Connect) -> Group:
    group = Group(primaries=[wire], readers=[wire], mode="standalone", opened=opened)
    if role_of(info) == "replica":
        _find_primary(group, info, target, opened)
        if never_copied(info):
            _read_the_primary(group, wire)
    group.shape = _shape_now(group)
    return group


def _shape_now(group: Group) -> Shape:
    return shape_of({wire.name: read_info(wire) for wire in group.wires})


def _find_primary(group: Group, info: Info, target: RedisTarget, opened: Connect) -> None:
    """A replica counts its own readers only, and evicts nothing: the counters that matter are its primary's."""
    try:
        primary = opened(target.at(info["master_host"], int(info["master_port"])))
    except (ServerError, KeyError, ValueError) as error:
        group.skipped.append(
            Skipped(
                part="counters of the primary",
                why=f"hits, misses and evictions are this replica's own ({error})",
                mend="make the primary reachable from here, or ask it directly",
            )
        )
    else:
        group.primaries = [primary]


def _read_the_primary(group: Group, replica: Wire) -> None:
    """What lies on a replica that has not got a first copy is nothing, or something else."""
    alone = group.primaries == [replica]
    if not alone:
        group.readers, group.beside = group.primaries, [replica]
    whose = "what was read is not what its primary has" if alone else "the keys are those of its primary"
    group.skipped.append(
        Skipped(
            part=f"keys of replica {replica.name}",
            why=f"it has not got a first copy of its primary; {whose}",
            mend="see its log, and run again when INFO replication says master_link_status:up",
        )
    )


def _behind_sentinel(wire: Wire, target: RedisTarget, opened: Connect, master: str | None) -> Group:
    known = {one["name"]: one for one in _maps(wire.call("SENTINEL", "MASTERS"))}
    if master is None and len(known) != 1:
        raise UsageError(
            f"the sentinel {wire.name} watches {len(known)} primaries",
            mend=f"name one with --master: {', '.join(sorted(known)) or 'it knows none'}",
        )
    name = master or next(iter(known))
    if name not in known:
        knows = ", ".join(sorted(known)) or "none at all"
        raise UsageError(f"the sentinel {wire.name} knows no primary {name}", mend=f"it knows {knows}")
    primary = opened(target.at(known[name]["ip"], int(known[name]["port"])))
    group = Group(primaries=[primary], readers=[primary], mode="sentinel", opened=opened)
    replicas = _maps(wire.call("SENTINEL", "REPLICAS", name))
    in_order = [one for one in replicas if one["flags"] == "slave" and one.get("master-link-status") == "ok"]
    for one in sorted(in_order, key=lambda one: (one["ip"], int(one["port"]))):
        try:
            group.readers = [opened(target.at(one["ip"], int(one["port"])))]
            break
        except ServerError as error:
            group.skipped.append(Skipped(part=f"replica {one['ip']}:{one['port']}", why=error.what, mend=error.mend))
    group.shape = _shape_now(group)
    return group


def _cluster(wire: Wire, target: RedisTarget, opened: Connect) -> Group:
    group = Group(primaries=[], readers=[], mode="cluster", opened=opened, owners=owners_by(wire))
    for host, port in primaries_of(group.owners):
        place = target.at(host, port)
        try:
            node = wire if place.name == wire.name else opened(place)
        except ServerError as error:
            group.skipped.append(Skipped(part=f"{_NODE}{place.name}", why=error.what, mend=error.mend))
            continue
        if _stays(node):
            group.staying.add(node.name)
        group.primaries.append(node)
        group.readers.append(node)
    if not group.readers:
        raise ServerError(f"the cluster of {target.name} has no primary that can be reached", mend="check its nodes")
    claims = [((node.target.host, node.target.port), owners_by(node)) for node in group.readers]
    group.owners = as_they_claim(group.owners, claims)
    if missing := SLOTS - len(group.owners):
        group.skipped.append(
            Skipped(
                part=f"{missing} slots", why="no node serves them", mend="see CLUSTER INFO; run again when it is ok"
            )
        )
    group.open_slots = open_slots(group.readers)
    return group


def _without_touch(group: Group) -> Group:
    """Keep the keys as cold as they are, where the server can.

    Never in a cluster: Redis 8.2.3 was seen to end with a segmentation fault when a client that does so asks, other
    than in a script, for a key of a slot on its way (Valkey 9.1.2 was not). redis/redis#14415 mends a null pointer in
    the same function, met by another way. All that touches are looks for fields that expire.
    """
    for wire in group.readers:
        with contextlib.suppress(RefusedError):
            wire.call("CLIENT", "NO-TOUCH", "ON")
    return group


def _stays(node: Wire) -> bool:
    """Have a primary that becomes a replica during the pass still answer for its keys, if the login may say so."""
    try:
        node.call("READONLY")
    except RefusedError:
        return False
    return True


def _maps(answer: Answer) -> list[dict[str, str]]:
    decoded = [[word.decode() for word in one] for one in answer]
    return [dict(zip(one[::2], one[1::2], strict=True)) for one in decoded]
