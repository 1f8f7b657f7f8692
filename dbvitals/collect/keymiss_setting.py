"""Switches notifications of misses on for a while, and makes sure that they are switched off again."""

import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, cast

import msgspec

from dbvitals.collect.keymiss_guard import READY, SETTING, Change, read_setting
from dbvitals.collect.redis_wire import LostError, RefusedError, Wire
from dbvitals.errors import ServerError
from dbvitals.model import Skipped

KEYEVENT, MISS, EXPIRED, ALL = "E", "m", "x", "A"
"""Letters of the setting. `A` stands for all classes but misses."""

GUARD_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why a node is not listened to, and what to do about it."""

    why: str
    mend: str


MayChange = Callable[[str, str, str], Objection | None]
"""What speaks against changing a node's setting for a while: the node, what it is, and what it would be."""


@dataclass(slots=True)
class Silence:
    """Nodes that are not heard, by the reason, so that one line says it of all; and what else is missing.

    `unsure` are nodes that may tell of their misses or not.
    """

    nodes: dict[Objection, list[str]] = field(default_factory=dict)
    unsure: dict[str, Objection] = field(default_factory=dict)
    others: list[Skipped] = field(default_factory=list)

    def of(self, node: str, objection: Objection) -> None:
        """Note that a node is not heard; one reason is enough."""
        self.unsure.pop(node, None)
        self.nodes.setdefault(objection, []).append(node)

    def settle(self, heard: Collection[str]) -> None:
        """Those of which it was not sure, and which were not `heard`, are silent."""
        for node, objection in list(self.unsure.items()):
            if node not in heard:
                self.of(node, objection)

    @property
    def names(self) -> set[str]:
        """All nodes that are not heard."""
        return {name for names in self.nodes.values() for name in names}

    def skipped(self) -> tuple[Skipped, ...]:
        """Everything, as it stands in a report."""
        missing = (
            Skipped(part=f"misses on {', '.join(names)}", why=objection.why, mend=objection.mend)
            for objection, names in self.nodes.items()
        )
        return (*missing, *self.others)


def with_misses(flags: str) -> str:
    """Add what is lacking to hear of misses and expiries; what is there stays."""
    missing = [
        flag for flag in (KEYEVENT, MISS, EXPIRED) if flag not in flags and not (flag == EXPIRED and ALL in flags)
    ]
    return flags + "".join(missing)


@contextmanager
def notifying(wires: Sequence[Wire], may_change: MayChange, silence: Silence) -> Iterator[list[Wire]]:
    """Give the nodes that tell of their misses for as long as it lasts; why others do not is added to `silence`.

    Where the setting may not be read, the provider may have set it: the node is given, and is `unsure`.
    """
    ready: list[Wire] = []
    changes: list[tuple[Wire, Change]] = []
    for wire in wires:
        change = _change(wire, may_change, silence)
        if change is not None and change.before != change.after:
            changes.append((wire, change))
        elif change is not None or wire.name in silence.unsure:
            ready.append(wire)
    if not changes:
        yield ready
        return
    with _guarded([change for _, change in changes], silence):
        ready += [wire for wire, change in changes if _applied(wire, change, silence)]
        yield ready


def _change(wire: Wire, may_change: MayChange, silence: Silence) -> Change | None:
    """What has to be changed on a node, which may be nothing; None when it may not be, or is not known."""
    try:
        before = read_setting(wire)
    except LostError as error:
        silence.of(wire.name, Objection(why=f"it went away before we listened: {error}", mend="run again"))
        return None
    except RefusedError as error:
        silence.unsure[wire.name] = Objection(
            why=f"CONFIG GET is refused ({error}), and no miss was heard",
            mend=f"allow +config|get and +config|set, or have the provider set {SETTING} to Exm",
        )
        return None
    after = with_misses(before)
    if before != after and (objection := may_change(wire.name, before, after)):
        silence.of(wire.name, objection)
        return None
    return Change(target=wire.target, before=before, after=after)


def _applied(wire: Wire, change: Change, silence: Silence) -> bool:
    try:
        wire.call("CONFIG", "SET", SETTING, change.after)
    except (RefusedError, LostError) as error:
        mend = f"allow +config|set, or have the provider set {SETTING} to {change.after}"
        silence.of(wire.name, Objection(why=f"CONFIG SET is refused ({error})", mend=mend))
        return False
    return True


@contextmanager
def _guarded(changes: Sequence[Change], silence: Silence) -> Iterator[None]:
    """Have another process wait for our end, of which not even SIGKILL takes notice, and put everything back."""
    # The login goes over a pipe: others can read a process's arguments and, as the same user, its environment.
    with subprocess.Popen(
        [sys.executable, "-m", "dbvitals.collect.keymiss_guard"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as guard:
        stdin, stdout = cast(IO[bytes], guard.stdin), cast(IO[bytes], guard.stdout)
        stdin.write(msgspec.json.encode(changes) + b"\n")
        stdin.flush()
        if stdout.readline().strip() != READY.encode():
            raise ServerError("no process could be started that puts the server's setting back", mend="see --verbose")
        put_back = False
        try:
            yield
        finally:
            stdin.close()
            try:
                put_back = _ended_well(guard)
            finally:  # Ctrl-C does not wait for it
                if not put_back:
                    silence.others += [_left(change) for change in changes]


def _ended_well(guard: subprocess.Popen[bytes]) -> bool:
    try:
        return guard.wait(GUARD_SECONDS) == 0
    except subprocess.TimeoutExpired:  # it goes on trying when we have gone
        return False


def _left(change: Change) -> Skipped:
    return Skipped(
        part=f"{SETTING} of {change.target.name}",
        why="it may not have been put back",
        mend=f"CONFIG SET {SETTING} '{change.before}'",
    )
