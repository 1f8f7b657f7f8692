"""Listens to a server's notifications of misses for a while: which keys are looked for in vain, by pattern."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import hiredis

from dbvitals.analyse.key_condense import CROWDED
from dbvitals.analyse.key_patterns import Folding
from dbvitals.analyse.key_tally import KeyspaceTally, bucket_of
from dbvitals.collect.keymiss_setting import MayChange, Objection, Silence, notifying
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
PART = "misses by pattern"

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
    """Counts what one or more nodes tell.

    Of a pattern, `count` are its misses; its times to live are those from an expiry to the next miss.
    """

    folding: Folding
    tally: KeyspaceTally = field(init=False)
    patterns: int = 0
    heard: Counter[str] = field(default_factory=Counter)
    expired: dict[bytes, float] = field(default_factory=dict)
    silence: Silence = field(default_factory=Silence)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.tally = KeyspaceTally(self.folding)

    def hear(self, node: str, event: bytes, key: bytes, now: float) -> None:
        """Take in one event."""
        if event == EXPIRED:
            self._remember(key, now)
            return
        pattern = self.folding.pattern_of(key)
        self.heard[node] += 1
        self.patterns += self.tally.known(pattern) is None
        row = self.tally.of(pattern)
        row.count += 1
        since = self.expired.pop(key, None)
        if since is not None:
            row.buckets[bucket_of(round(1000 * (now - since)))] += 1

    def window(self) -> MissWindow:
        """Give what was heard, and what was not."""
        rows = self.tally.freeze()
        return MissWindow(
            lookups=tuple(
                PatternLookups(pattern=row.pattern, source="keymiss", hits=None, misses=row.count, seconds=self.seconds)
                for row in rows
            ),
            after_expiry=tuple(
                MissesAfterExpiry(pattern=row.pattern, misses=sum(row.ttl_buckets.values()), buckets=row.ttl_buckets)
                for row in rows
                if row.ttl_buckets
            ),
            seconds=self.seconds,
            skipped=(*self.silence.skipped(), *self._cut()),
        )

    def _cut(self) -> tuple[Skipped, ...]:
        """The tally makes room by itself when a new pattern comes; of ours it then adds up those missed the least."""
        if self.patterns <= CROWDED:
            return ()
        why = f"keys of more than {CROWDED:,} patterns were missed: those alike, and the rarest, are added up"
        return (Skipped(part=PART, why=why, mend="declare the families, so that their keys make one pattern each"),)

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
    setting is put back in the end, also when this process is killed. Ctrl-C ends it early. That, and every node that
    cannot be heard, is said in `skipped`.
    """
    ear = _Ear(folding)
    try:
        with contextlib.ExitStack() as stack:
            wires = _connected(targets, connect_timeout, ear, stack)
            notified = stack.enter_context(notifying(wires, may_change, ear.silence))
            before = _misses(notified)
            listeners = _connected([wire.target for wire in notified], connect_timeout, ear, stack)
            _listen([wire for wire in listeners if _subscribed(wire, db, ear)], ear, seconds, stop)
            if db is None:
                _compare(before, _misses(notified), ear)
    except KeyboardInterrupt:
        ear.silence.others.append(INTERRUPTED)
    return ear.window()


def _connected(targets: Sequence[RedisTarget], timeout: float, ear: _Ear, stack: contextlib.ExitStack) -> list[Wire]:
    found = []
    for target in targets:
        try:
            wire = Wire(target, connect_timeout=timeout, answer_timeout=ANSWER_TIMEOUT)
        except ServerError as error:
            ear.silence.of(target.name, Objection(why=error.what, mend=error.mend))
        else:
            found.append(stack.enter_context(wire))
    return found


def _misses(wires: Sequence[Wire]) -> dict[str, int]:
    """What each node has counted; one that went away is named by whoever listens to it."""
    found = {}
    for wire in wires:
        with contextlib.suppress(ServerError):
            found[wire.name] = int(read_info(wire).get("keyspace_misses", 0))
    return found


def _subscribed(wire: Wire, db: int | None, ear: _Ear) -> bool:
    channels = [channel.format(db="*" if db is None else db) for channel in CHANNELS]
    try:
        wire.send([("PSUBSCRIBE", *channels)])
        # One answer for each channel; a refusal is one for all.
        if isinstance(wire.receive(1)[0], hiredis.ReplyError):
            mend = "allow +psubscribe and the channels that --print-acl names"
            ear.silence.of(wire.name, Objection(why="PSUBSCRIBE is refused", mend=mend))
            return False
        wire.receive(len(channels) - 1)
    except LostError as error:
        ear.silence.of(wire.name, Objection(why=f"it went away before we listened: {error}", mend="run again"))
        return False
    return True


def _listen(wires: list[Wire], ear: _Ear, seconds: float, stop: Stop) -> None:
    began = time.monotonic()
    try:
        over = False
        while wires and not over:
            time.sleep(PAUSE)
            over = time.monotonic() >= began + seconds or stop()  # what came until then is heard yet
            for wire in list(wires):
                if not _heard(wire, ear):
                    wires.remove(wire)
    finally:
        ear.seconds = time.monotonic() - began
        ear.silence.settle(ear.heard.keys())


def _heard(wire: Wire, ear: _Ear) -> bool:
    """Take in what has come from a node; False when it has gone."""
    try:
        for event, key in _arrived(wire):
            ear.hear(wire.name, event, key, time.monotonic())
    except LostError as error:
        mend = "run again; a longer client-output-buffer-limit for pubsub if misses are very many"
        ear.silence.of(wire.name, Objection(why=f"it went away while we listened: {error}", mend=mend))
        return False
    return True


def _arrived(wire: Wire) -> Iterator[tuple[bytes, bytes]]:
    """Events that have come: those before the answer to a PING. So nothing waits for what may never come."""
    wire.send([("PING",)])
    while True:
        message = wire.receive(1)[0]
        if not isinstance(message, list) or message[0] != b"pmessage":  # an error, where PING is denied
            return
        yield message[2].rpartition(b":")[2], message[3]


def _compare(before: Mapping[str, int], after: Mapping[str, int], ear: _Ear) -> None:
    """Say so when fewer misses were heard than the servers have counted."""
    both = before.keys() & after.keys() - ear.silence.names
    counted, heard = sum(after[node] - before[node] for node in both), sum(ear.heard[node] for node in both)
    if heard < HEARD * counted:
        why = f"{heard} of {counted} misses were heard"
        ear.silence.others.append(Skipped(part=PART, why=why, mend="compare with the service's own counters"))
