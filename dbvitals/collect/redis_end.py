"""What is asked of the nodes of a Redis when their keys have been read, and what to say of those that went away."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from dbvitals.collect.redis_info import Info, read_info, role_of
from dbvitals.collect.redis_wire import Answer, LostError, RefusedError, Wire, is_denial
from dbvitals.errors import ServerError
from dbvitals.model import Skipped
from dbvitals.snapshot_keyspace import NodeInfo

_WAITS = (
    ("LOADING", "run again when the server has loaded its data"),
    ("MASTERDOWN", "ask the primary, or run again when the replica has found it again"),
    ("stale replica", "ask the primary, or run again when the replica has found it again"),
    ("cluster is down", "run again when CLUSTER INFO says cluster_state:ok"),
)
"""What a server says that has no keys to give for a while, and what to do about it."""


def mend_of(error: LostError | RefusedError) -> str:
    """What to do about a node that gives no more keys."""
    text = str(error)
    if is_denial(text):
        return "see --print-acl for the rights it takes"
    return next((mend for sign, mend in _WAITS if sign in text), "run again")


def drop_answers(wires: Iterable[Wire], lost: dict[str, LostError]) -> None:
    """Read what a pass that was broken off left unread: it would be taken for the answer to the next question."""
    for wire in wires:
        if wire.name in lost:
            continue
        try:
            wire.send([("INFO", "server")])
            while not _is_info(wire.receive(1)[0]):
                pass
        except LostError as error:
            lost[wire.name] = error


def last_infos(wires: Sequence[Wire], lost: Mapping[str, LostError]) -> tuple[dict[str, Info], list[Skipped]]:
    """What each node says at the end, by name; and which say nothing any more."""
    infos, missing = {}, []
    for wire in wires:
        try:
            if wire.name in lost:
                raise lost[wire.name]
            infos[wire.name] = read_info(wire)
        except (ServerError, LostError) as error:
            part = "counters at the end" if len(wires) == 1 else f"counters of node {wire.name} at the end"
            missing.append(Skipped(part=part, why=str(error), mend="run again"))
    return infos, missing


def failed_over(nodes: Iterable[NodeInfo], infos: Mapping[str, Info], staying: Collection[str]) -> list[Skipped]:
    """What is missing of primaries that became replicas; those `staying` answered for their keys nevertheless."""
    missing = []
    for node in nodes:
        if node.role == "replica" or node.name not in infos or role_of(infos[node.name]) == "primary":
            continue
        missing.append(
            Skipped(
                part=f"hits and misses of the node that took over from {node.name}",
                why="it failed over during the pass, and what clients have read since then was counted there",
                mend="run again",
            )
        )
        if node.mode == "cluster" and node.name not in staying:
            missing.append(
                Skipped(
                    part=f"rest of the keys of node {node.name}",
                    why="it failed over during the pass, and answers no more for the keys that it had",
                    mend="run again, or allow +readonly, with which it answers",
                )
            )
    return missing


def _is_info(answer: Answer) -> bool:
    return isinstance(answer, bytes) and answer.startswith(b"# Server")
