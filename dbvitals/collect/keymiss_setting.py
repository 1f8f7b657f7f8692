"""Switches notifications of misses on for a while, and makes sure that they are switched off again."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, cast

import msgspec

from dbvitals.collect.keymiss_guard import READY, SETTING, Change, read_setting
from dbvitals.collect.redis_wire import LostError, RefusedError, Wire
from dbvitals.errors import ServerError
from dbvitals.model import Skipped

KEYEVENT, MISS, EXPIRED, ALL = "E", "m", "x", "A"
"""Letters of the setting. `A` stands for all classes but misses."""

GUARD_SECONDS = 60.0

MayChange = Callable[[str, str, str], bool]
"""Whether a node's setting may be changed for a while: the node, what it is, and what it would be."""


def with_misses(flags: str) -> str:
    """Add what is lacking to hear of misses and expiries; what is there stays."""
    missing = [
        flag for flag in (KEYEVENT, MISS, EXPIRED) if flag not in flags and not (flag == EXPIRED and ALL in flags)
    ]
    return flags + "".join(missing)


@contextmanager
def notifying(wires: Sequence[Wire], may_change: MayChange, skipped: list[Skipped]) -> Iterator[list[Wire]]:
    """Give the nodes that tell of their misses for as long as it lasts; why others do not is added to `skipped`."""
    ready: list[Wire] = []
    changes: list[tuple[Wire, Change]] = []
    for wire in wires:
        change = _change(wire, may_change, skipped)
        if change is not None and change.before != change.after:
            changes.append((wire, change))
        elif change is not None:
            ready.append(wire)
    if not changes:
        yield ready
        return
    with _guarded([change for _, change in changes], skipped):
        ready += [wire for wire, change in changes if _applied(wire, change, skipped)]
        yield ready


def _change(wire: Wire, may_change: MayChange, skipped: list[Skipped]) -> Change | None:
    """What has to be changed on a node, which may be nothing; None when it may not be."""
    try:
        before = read_setting(wire)
    except (RefusedError, LostError) as error:
        skipped.append(_silent(wire, f"CONFIG GET is refused ({error})", "allow +config|get and +config|set"))
        return None
    after = with_misses(before)
    if before != after and not may_change(wire.name, before, after):
        skipped.append(_silent(wire, f"{SETTING} is not to be changed", "allow it, or set it to hold E and m"))
        return None
    return Change(target=wire.target, before=before, after=after)


def _applied(wire: Wire, change: Change, skipped: list[Skipped]) -> bool:
    try:
        wire.call("CONFIG", "SET", SETTING, change.after)
    except (RefusedError, LostError) as error:
        skipped.append(_silent(wire, f"CONFIG SET is refused ({error})", "set it in the provider's console"))
        return False
    return True


@contextmanager
def _guarded(changes: Sequence[Change], skipped: list[Skipped]) -> Iterator[None]:
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
        try:
            yield
        finally:
            stdin.close()
            if not _ended_well(guard):
                skipped += [_left(change) for change in changes]


def _ended_well(guard: subprocess.Popen[bytes]) -> bool:
    try:
        return guard.wait(GUARD_SECONDS) == 0
    except subprocess.TimeoutExpired:  # it goes on trying when we have gone
        return False


def _silent(wire: Wire, why: str, mend: str) -> Skipped:
    return Skipped(part=f"misses on {wire.name}", why=why, mend=mend)


def _left(change: Change) -> Skipped:
    return Skipped(
        part=f"{SETTING} of {change.target.name}",
        why="it may not have been put back",
        mend=f"CONFIG SET {SETTING} '{change.before}'",
    )
