"""A pass over one database of one node in slices that the server runs, each no longer than its time."""

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import hiredis

from dbvitals.collect.keyspace_gathering import NOT_ASKED, Gathering, TypeAnswers
from dbvitals.collect.keyspace_harvest import Harvest
from dbvitals.collect.redis_pace import Pacer
from dbvitals.collect.redis_wire import Answer, RefusedError, Wire, is_denial

SCRIPT = Path(__file__).with_name("lua").joinpath("keyspace_slice.lua").read_bytes()
SHA = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest()

SCAN_COUNT = 20
"""Keys between two looks at the clock: well under a slice."""

FIRST_KEYS = 20
"""The first slice is short: it shows what is denied, and whether the server's clock moves within a script."""

MOST_KEYS = 5_000
"""Keys of a slice at the most, should a clock fail."""

CLOCKLESS_KEYS = 40
"""Without a clock in the script, the client begins with so many keys a slice and measures for itself."""

Progress = Callable[[int], None]
Arguments = tuple[str | bytes | int, ...]


class ScriptsDeniedError(Exception):
    """The server runs no scripts for us; its message says why."""


class _Slice(NamedTuple):
    """What the script gives: the next cursor, microseconds, and answers in the order of the names."""

    cursor: bytes
    elapsed_us: int
    names: list[bytes]
    ttls: list[Answer]
    sizes: list[Answer]
    types: list[list[Answer]]
    staying: list[list[Answer]]
    now_ms: int
    """When it came, since 1970."""

    def answers(self, rows: list[list[Answer]]) -> Iterator[TypeAnswers]:
        """What was asked of some of the keys, beside their names and times."""
        for place, kind, encoding, fields, field_ttls in rows:
            ttl = self.ttls[place - 1] if self.ttls else None
            yield self.names[place - 1], ttl, kind, NOT_ASKED if encoding is None else encoding, fields, field_ttls


class ScriptPass:
    """Runs slices on one node. What the user may not do is found out once and left out from then on."""

    def __init__(self, wire: Wire, harvest: Harvest, pacer: Pacer, *, ask_fields: bool) -> None:
        self._wire = wire
        self._harvest = harvest
        self._pacer = pacer
        self._run = "EVALSHA_RO"
        self._clock = "time"
        self._ask_fields = ask_fields
        self._most_keys = FIRST_KEYS
        self._sent: Arguments = ()
        self._sent_at = 0.0

    def walk(self, db: int, progress: Progress) -> bool:
        """Go over the selected database from its beginning; False when the time is up first.

        Raises ScriptsDeniedError before anything was added, RefusedError, LostError.
        """
        with Gathering(self._harvest, self._wire.name, db) as gathering:
            try:
                return self._walk(gathering, progress)
            except KeyboardInterrupt:
                if self._sent:  # the server has counted its hits already
                    self._take(self._receive()[0], gathering)
                raise

    def _walk(self, gathering: Gathering, progress: Progress) -> bool:
        slice_, busy = self._first(gathering)
        first = True
        while True:
            since = self._sent_at + busy  # when the script ended: the answer's way is a rest for the server
            more = slice_.cursor != b"0" and not self._pacer.over
            # Where no rest is due, the server makes the next slice while this one is added up.
            at_once = more and not first and self._clock == "time" and self._pacer.look(self._wire) >= 1
            if at_once:
                self._send(slice_.cursor, gathering)
            self._take(slice_, gathering)
            progress(len(slice_.names))
            if not more:
                return slice_.cursor == b"0"
            if not at_once:
                self._pacer.rest(self._wire, busy, since)
                self._send(slice_.cursor, gathering)
            first = False
            slice_, busy = self._receive()

    def _first(self, gathering: Gathering) -> tuple[_Slice, float]:
        """The first slice, by the newest of the commands that this server and user have."""
        self._sent_at = time.monotonic()
        slice_ = _slice(self._evaluate(self._arguments(b"0", gathering)))
        self._clock = "time" if slice_.elapsed_us or not slice_.names else "none"
        self._most_keys = MOST_KEYS if self._clock == "time" else CLOCKLESS_KEYS
        return slice_, slice_.elapsed_us / 1e6

    def _send(self, cursor: bytes, gathering: Gathering) -> None:
        self._sent, self._sent_at = self._arguments(cursor, gathering), time.monotonic()
        self._wire.send([(self._run, SHA, 0, *self._sent)])

    def _receive(self) -> tuple[_Slice, float]:
        """The slice that was sent for, and the seconds that the server was busy."""
        answer, sent, self._sent = self._wire.receive(1)[0], self._sent, ()
        if isinstance(answer, hiredis.ReplyError):
            answer = self._again(sent)
        slice_ = _slice(answer)
        if self._clock == "time":
            return slice_, slice_.elapsed_us / 1e6
        busy = time.monotonic() - self._sent_at
        in_time = busy * 1e6 <= self._pacer.tempo.slice_us
        self._most_keys = min(MOST_KEYS, self._most_keys + 5) if in_time else max(1, self._most_keys // 2)
        return slice_._replace(elapsed_us=round(busy * 1e6)), busy

    def _again(self, sent: Arguments) -> Answer:
        """Ask once more: somebody has flushed the scripts, or is busy. Whoever denies them now has denied the pass."""
        try:
            return self._evaluate(sent)
        except ScriptsDeniedError as error:
            raise RefusedError(str(error)) from error

    def _arguments(self, cursor: bytes, gathering: Gathering) -> Arguments:
        denied = gathering.denied
        ask_fields = self._ask_fields and not {"HRANDFIELD", "HPTTL"} & denied
        return (
            cursor,
            min(SCAN_COUNT, self._most_keys),
            self._pacer.tempo.slice_us,
            self._most_keys,
            self._clock,
            int("PTTL" not in denied),
            int("MEMORY USAGE" not in denied),
            int("OBJECT ENCODING" not in denied),
            int(ask_fields),
            gathering.type_stride if "TYPE" not in denied else 0,
            int(ask_fields and gathering.asks_staying and "TYPE" not in denied),
        )

    def _take(self, slice_: _Slice, gathering: Gathering) -> None:
        self._harvest.server_us += slice_.elapsed_us
        gathering.add_types(slice_.answers(slice_.types), slice_.answers(slice_.staying))
        gathering.add(slice_.names, slice_.ttls, slice_.sizes, slice_.now_ms)

    def _evaluate(self, arguments: Arguments) -> Answer:
        try:
            return self._wire.call(self._run, SHA, 0, *arguments)
        except RefusedError as error:
            if error.text.startswith("NOSCRIPT"):
                return self._load(arguments)
            return self._older(error.text, arguments)

    def _load(self, arguments: Arguments) -> Answer:
        """EVAL keeps the script under its digest: SCRIPT LOAD, and the right to it, are not needed."""
        try:
            return self._wire.call(self._run.replace("EVALSHA", "EVAL"), SCRIPT, 0, *arguments)
        except RefusedError as error:
            return self._older(error.text, arguments)

    def _older(self, text: str, arguments: Arguments) -> Answer:
        """Before Redis 7 there was only EVAL; some users may do one and not the other."""
        if not is_denial(text):
            raise RefusedError(text)
        if self._run == "EVALSHA_RO":
            self._run = "EVALSHA"
            return self._evaluate(arguments)
        raise ScriptsDeniedError(text)


def _slice(answer: Answer) -> _Slice:
    cursor, elapsed_us, names, ttls, sizes, types, staying = answer
    return _Slice(cursor, elapsed_us, names, ttls, sizes, types, staying, round(time.time() * 1000))
