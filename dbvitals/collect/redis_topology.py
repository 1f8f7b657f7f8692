"""Which nodes make up a Redis: one server, a primary and its replicas, a Sentinel group, a cluster."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from dbvitals.collect.redis_info import Info, read_info, role_of
from dbvitals.collect.redis_wire import Answer, RefusedError, Wire
from dbvitals.errors import ServerError, UsageError
from dbvitals.model import Skipped
from dbvitals.settings_redis import RedisTarget

Connect = Callable[[RedisTarget], Wire]


@dataclass(slots=True)
class Group:
    """Connections to all nodes: those whose counters count, and those whose keys are read (a replica may stand in).

    `shape` is what must be the same after the pass. `skipped` names nodes that could not be reached.
    """

    primaries: list[Wire]
    readers: list[Wire]
    shape: tuple[object, ...]
    mode: str
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def wires(self) -> list[Wire]:
        """Every connection, once."""
        return list({id(wire): wire for wire in (*self.primaries, *self.readers)}.values())


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
        match mode:
            case "sentinel":
                yield _behind_sentinel(wire, target, opened, master)
            case "cluster":
                yield _cluster(wire, target, opened)
            case _:
                yield _single(wire, info, target, opened)


def shape_of(group: Group) -> tuple[object, ...]:
    """The topology as it is now, to be compared with `group.shape`; empty when it can no longer be asked."""
    first = group.readers[0]
    if group.mode == "cluster":
        return _slots(first)
    infos = {wire.name: read_info(wire) for wire in group.wires}
    return tuple((name, info.get("run_id"), info.get("role")) for name, info in sorted(infos.items()))


def _single(wire: Wire, info: Info, target: RedisTarget, opened: Connect) -> Group:
    group = Group(primaries=[wire], readers=[wire], shape=(), mode="standalone")
    if role_of(info) == "replica":
        _find_primary(group, info, target, opened)
    group.shape = shape_of(group)
    return group


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


def _behind_sentinel(wire: Wire, target: RedisTarget, opened: Connect, master: str | None) -> Group:
    known = {one["name"]: one for one in _maps(wire.call("SENTINEL", "MASTERS"))}
    if master is None and len(known) != 1:
        raise UsageError(
            f"the sentinel {wire.name} watches {len(known)} primaries",
            mend=f"name one with --master: {', '.join(sorted(known)) or 'it knows none'}",
        )
    name = master or next(iter(known))
    if name not in known:
        raise UsageError(f"the sentinel {wire.name} knows no {name}", mend=f"it knows {', '.join(sorted(known))}")
    primary = opened(target.at(known[name]["ip"], int(known[name]["port"])))
    group = Group(primaries=[primary], readers=[primary], shape=(), mode="sentinel")
    replicas = _maps(wire.call("SENTINEL", "REPLICAS", name))
    in_order = [one for one in replicas if one["flags"] == "slave" and one.get("master-link-status") == "ok"]
    for one in sorted(in_order, key=lambda one: (one["ip"], int(one["port"]))):
        try:
            group.readers = [opened(target.at(one["ip"], int(one["port"])))]
            break
        except ServerError as error:
            group.skipped.append(Skipped(part=f"replica {one['ip']}:{one['port']}", why=error.what, mend=error.mend))
    group.shape = shape_of(group)
    return group


def _cluster(wire: Wire, target: RedisTarget, opened: Connect) -> Group:
    shape = _slots(wire)
    group = Group(primaries=[], readers=[], shape=shape, mode="cluster")
    places = {(host or target.host, port) for _, _, host, port in shape}
    for host, port in sorted(places):
        place = target.at(host, port)
        try:
            node = wire if place.name == wire.name else opened(place)
        except ServerError as error:
            group.skipped.append(Skipped(part=f"keys of node {place.name}", why=error.what, mend=error.mend))
            continue
        group.primaries.append(node)
        group.readers.append(node)
    if not group.readers:
        raise ServerError(f"the cluster of {target.name} has no primary that can be reached", mend="check its nodes")
    if missing := 16384 - sum(last - first + 1 for first, last, _, _ in shape):
        group.skipped.append(
            Skipped(
                part=f"{missing} slots", why="no node serves them", mend="see CLUSTER INFO; run again when it is ok"
            )
        )
    return group


def _slots(wire: Wire) -> tuple[tuple[int, int, str, int], ...]:
    """Ranges of slots with the primary that serves each."""
    try:
        answer = wire.call("CLUSTER", "SLOTS")
    except RefusedError as error:
        raise ServerError(
            f"{wire.name} does not tell the nodes of its cluster: {error.text}", mend="the login needs +cluster|slots"
        ) from error
    return tuple(sorted((first, last, (node[0] or b"").decode(), node[1]) for first, last, node, *_ in answer))


def _maps(answer: Answer) -> list[dict[str, str]]:
    decoded = [[word.decode() for word in one] for one in answer]
    return [dict(zip(one[::2], one[1::2], strict=True)) for one in decoded]
