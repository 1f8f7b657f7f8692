"""Listens to a server's notifications of misses for a while: which keys are looked for in vain, by pattern."""

import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import hiredis

from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.key_tally import bucket_of
from dbvitals.collect.keymiss_setting import MayChange, notifying
from dbvitals.collect.redis import INTERRUPTED
from dbvitals.collect.redis_info import read_info
from dbvitals.collect.redis_wire import LostError, Wire
from dbvitals.errors import ServerError
from dbvitals.model import Skipped
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import PatternLookups
from dbvitals.snapshot_misses import MissesAfterExpiry

MISS, EXPIRED = b"keymiss", b"expired"
CHANNELS = ("__keyevent@{db}__:keymiss", "__keyevent@{db}__:expired")
PAUSE = 0.05
"""Seconds between two looks at what has come: short enough that the server never holds much of it back for us."""
REMEMBERED = 100_000
"""Expired keys whose next miss is waited for: some ten megabytes."""
HEARD = 0.95
"""The share of the misses that INFO counts which has to have been heard."""
ANSWER_TIMEOUT = 10.0

Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissWindow:
    """What was heard in `seconds`; patterns by name."""

    lookups: tuple[PatternLookups, ...]
    after_expiry: tuple[MissesAfterExpiry, ...]
    seconds: float
    skipped: tuple[Skipped, ...]


@dataclass(slots=True)
class _Ear:
    """Counts what one or more nodes tell."""

    folding: Folding
    misses: Counter[str] = field(default_factory=Counter)
    waits: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    expired: dict[bytes, float] = field(default_factory=dict)

    def hear(self, event: bytes, key: bytes, now: float) -> None:
        """Take in one event."""
        if event == EXPIRED:
            self._remember(key, now)
            return
        pattern = self.folding.pattern_of(key)
        self.misses[pattern] += 1
        since = self.expired.pop(key, None)
        if since is not None:
            self.waits[pattern][bucket_of(round(1000 * (now - since)))] += 1

    def _remember(self, key: bytes, now: float) -> None:
        self.expired.pop(key, None)
        self.expired[key] = now
        if len(self.expired) > REMEMBERED:
            del self.expired[next(iter(self.expired))]


def listen_for_misses(
    targets: Sequence[RedisTarget],
    folding: Folding,
    *,
    seconds: float,
    may_change: MayChange,
    connect_timeout: float = 10.0,
    db: int | None = None,
    stop: Stop = lambda: False,
) -> MissWindow:
    """Listen to all `targets` for so long, or until `stop`. `db` is one logical database, None all of them.

    Where a server does not notify of misses, `may_change` is asked whether it shall for as long as this takes; the
    setting is put back in the end, also when this process is killed. Ctrl-C ends it early, which `skipped` then says.
    Raises ServerError when one cannot be reached.
    """
    skipped: list[Skipped] = []
    ear = _Ear(folding)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(_connect(target, connect_timeout)) for target in targets]
        notified = stack.enter_context(notifying(wires, may_change, skipped))
        before = {wire.name: _misses(wire) for wire in notified}
        listeners = [stack.enter_context(_connect(wire.target, connect_timeout)) for wire in notified]
        listening = [wire for wire in listeners if _subscribed(wire, db, skipped)]
        began = time.monotonic()
        try:
            _listen(listening, ear, began + seconds, stop, skipped)
        except KeyboardInterrupt:
            skipped.append(INTERRUPTED)
        lasted = time.monotonic() - began
        if db is None:
            _compare(notified, before, ear.misses.total(), skipped)
    return MissWindow(
        lookups=tuple(
            PatternLookups(pattern=pattern, source="keymiss", hits=None, misses=ear.misses[pattern], seconds=lasted)
            for pattern in sorted(ear.misses)
        ),
        after_expiry=tuple(
            MissesAfterExpiry(pattern=pattern, misses=waits.total(), buckets=dict(sorted(waits.items())))
            for pattern, waits in sorted(ear.waits.items())
        ),
        seconds=lasted,
        skipped=tuple(skipped),
    )


def _connect(target: RedisTarget, timeout: float) -> Wire:
    return Wire(target, connect_timeout=timeout, answer_timeout=ANSWER_TIMEOUT)


def _misses(wire: Wire) -> int:
    return int(read_info(wire).get("keyspace_misses", 0))


def _subscribed(wire: Wire, db: int | None, skipped: list[Skipped]) -> bool:
    channels = [channel.format(db="*" if db is None else db) for channel in CHANNELS]
    part = f"misses on {wire.name}"
    try:
        wire.send([("PSUBSCRIBE", *channels)])
        # One answer for each channel; a refusal is one for all.
        if isinstance(wire.receive(1)[0], hiredis.ReplyError):
            mend = "allow +psubscribe and the channels &__keyevent@*"
            skipped.append(Skipped(part=part, why="PSUBSCRIBE is refused", mend=mend))
            return False
        wire.receive(len(channels) - 1)
    except LostError as error:
        skipped.append(Skipped(part=part, why=f"it went away before we listened: {error}", mend="run again"))
        return False
    return True


def _listen(wires: list[Wire], ear: _Ear, until: float, stop: Stop, skipped: list[Skipped]) -> None:
    while wires and time.monotonic() < until and not stop():
        time.sleep(PAUSE)
        for wire in list(wires):
            try:
                for event, key in _arrived(wire):
                    ear.hear(event, key, time.monotonic())
            except LostError as error:
                wires.remove(wire)
                skipped.append(
                    Skipped(
                        part=f"misses on {wire.name}",
                        why=f"it went away while we listened: {error}",
                        mend="run again; a longer client-output-buffer-limit for pubsub if misses are very many",
                    )
                )


def _arrived(wire: Wire) -> Iterator[tuple[bytes, bytes]]:
    """Events that have come: those before the answer to a PING. So nothing waits for what may never come."""
    wire.send([("PING",)])
    while True:
        message = wire.receive(1)[0]
        if message[0] != b"pmessage":
            return
        yield message[2].rpartition(b":")[2], message[3]


def _compare(wires: Sequence[Wire], before: Mapping[str, int], heard: int, skipped: list[Skipped]) -> None:
    """Say so when fewer misses were heard than the servers have counted."""
    with contextlib.suppress(ServerError):  # one that went away has been named already
        counted = sum(_misses(wire) - before[wire.name] for wire in wires)
        if heard < HEARD * counted:
            skipped.append(
                Skipped(
                    part="misses by pattern",
                    why=f"{heard} of {counted} misses were heard",
                    mend="compare with the service's own counters",
                )
            )
