"""A pass by pipelines of plain commands, where scripts are denied; and random samples of keys."""

import time
from collections.abc import Callable, Sequence
from random import Random

import hiredis

from dbvitals.analyse.key_tally import NO_TTL
from dbvitals.collect.keyspace_harvest import Giant, Harvest
from dbvitals.collect.redis_pace import Pacer
from dbvitals.collect.redis_wire import Answer, RefusedError, Wire, is_denial, pack
from dbvitals.snapshot_keyspace import SampledKey

BATCH = 100
"""Keys of a pipeline: the server answers other clients in between, and larger ones are no faster."""

TYPE_STRIDE = 8
"""One key in so many is asked for type and encoding: two more hits each."""

CURSOR_BITS = 48
"""A random cursor has more bits than any table has; the server takes as many as it needs."""

FRUITLESS_ROUNDS = 200
"""So many pages without a key, one after the other: there are none to be had."""

_MOVED = ("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN")
"""Answers for a key that is another node's by now: its slot went there after the page was read."""

# Commands without their last word, the key: packing each one anew is a third of what a pass takes here.
_PTTL = b"*2\r\n$4\r\nPTTL\r\n"
_MEMORY_USAGE = b"*3\r\n$6\r\nMEMORY\r\n$5\r\nUSAGE\r\n"
_TYPE = b"*2\r\n$4\r\nTYPE\r\n"
_OBJECT_ENCODING = b"*3\r\n$6\r\nOBJECT\r\n$8\r\nENCODING\r\n"

_NOT_NOW = ("LOADING", "BUSY", "MASTERDOWN")

Progress = Callable[[int], None]


class PipelinePass:
    """Asks for every key of one node in pipelines. What is denied is found out once and left out from then on."""

    def __init__(self, wire: Wire, harvest: Harvest, pacer: Pacer) -> None:
        self._wire = wire
        self._harvest = harvest
        self._pacer = pacer
        self._ask_ttl = self._ask_memory = self._ask_type = True

    def walk(self, db: int, progress: Progress) -> bool:
        """Go over the selected database; False when the time is up first. Raises RefusedError, LostError."""
        cursor, keys = self._scan(b"0")
        while True:
            since = time.monotonic()
            more = cursor != b"0" and not self._pacer.over
            next_scan = pack(("SCAN", cursor, "COUNT", BATCH)) if more else b""
            page = self._ask(keys, db, next_scan)
            progress(len(keys))
            if page is None:
                return cursor == b"0"
            cursor, keys = page
            self._rest(since)

    def sample(self, db: int, number: int, random: Random, progress: Progress, *, by_name: bool) -> bool:
        """Look at about so many keys taken at random; False when the time is up first.

        A random cursor finds each bucket of the table alike. A cluster's cursors carry a slot, and would favour
        keys in poor ones, so `by_name` takes RANDOMKEY, which is slower.
        """
        left, fruitless = number, 0
        while left > 0 and fruitless < FRUITLESS_ROUNDS:
            if self._pacer.over:
                return False
            since = time.monotonic()
            keys = self._random_names(left) if by_name else self._random_pages(left, random)
            keys = keys[:left]
            fruitless = 0 if keys else fruitless + 1
            self._ask(keys, db, b"", keep=True)
            left -= len(keys)
            progress(len(keys))
            self._rest(since)
        return True

    def _rest(self, since: float) -> None:
        """The server worked for us for about half of the time: the other half was ours, and its rest."""
        half = (time.monotonic() - since) / 2
        self._pacer.rest(self._wire, half, since + half)

    def _random_names(self, left: int) -> list[bytes]:
        number = min(left, BATCH)
        self._wire.send([("RANDOMKEY",)] * number)
        return [key for key in self._checked(self._wire.receive(number)) if key is not None]

    def _random_pages(self, left: int, random: Random) -> list[bytes]:
        number = min(left, BATCH)
        self._wire.send([("SCAN", random.getrandbits(CURSOR_BITS), "COUNT", 1) for _ in range(number)])
        return [key for page in self._checked(self._wire.receive(number)) for key in page[1]]

    def _checked(self, answers: list[Answer]) -> list[Answer]:
        for answer in answers:
            if isinstance(answer, hiredis.ReplyError):
                raise RefusedError(str(answer))
        return answers

    def _scan(self, cursor: bytes) -> tuple[bytes, list[bytes]]:
        cursor, keys = self._wire.call("SCAN", cursor, "COUNT", BATCH)
        return cursor, keys

    def _ask(
        self, keys: Sequence[bytes], db: int, next_scan: bytes, *, keep: bool = False
    ) -> tuple[bytes, list[bytes]] | None:
        """Ask for keys, and for the next page in the same write, so that the server works while we add up."""
        typed = [position for position in range(len(keys)) if self._ask_type and position % TYPE_STRIDE == 0]
        names = [b"$%d\r\n%b\r\n" % (len(key), key) for key in keys]
        groups = [
            [_PTTL + name for name in names] if self._ask_ttl else [],
            [_MEMORY_USAGE + name for name in names] if self._ask_memory else [],
            [_TYPE + names[position] for position in typed],
            [_OBJECT_ENCODING + names[position] for position in typed],
        ]
        self._wire.send_raw(b"".join(command for group in groups for command in group) + next_scan)
        answers = [self._wire.receive(len(group)) for group in groups]
        _heed_the_server(answers)
        page = self._checked(self._wire.receive(1))[0] if next_scan else None
        self._add(keys, db, answers[0] or [None] * len(keys), answers[1] or [None] * len(keys), keep=keep)
        self._add_types([keys[position] for position in typed], answers[2], answers[3])
        return None if page is None else (page[0], page[1])

    def _add(self, keys: Sequence[bytes], db: int, ttls: list[Answer], sizes: list[Answer], *, keep: bool) -> None:
        for key, ttl, size in zip(keys, ttls, sizes, strict=True):
            self._harvest.seen += 1
            pattern = self._harvest.folding.pattern_of(key)
            if not self._add_ttl(pattern, ttl):
                continue
            memory_bytes = self._size(size)
            tally = self._harvest.tally.of(pattern)
            if memory_bytes:
                tally.add_memory(memory_bytes, ttl)
            self._harvest.add_name(tally, key, memory_bytes)
            if memory_bytes >= self._harvest.giant_bytes:
                self._harvest.add_giant(Giant(memory_bytes, self._wire.name, db, key, pattern, ttl == NO_TTL))
            if (tenant := self._harvest.folding.tenant_of(key)) is not None:
                self._harvest.add_tenant(tenant, 1, memory_bytes)
            if keep:
                self._harvest.sample.append(SampledKey(pattern=pattern, memory_bytes=memory_bytes))

    def _add_ttl(self, pattern: str, answer: Answer) -> bool:
        """Count a key; False when it is not there, or not for this user."""
        tally = self._harvest.tally.of(pattern)
        if isinstance(answer, hiredis.ReplyError):
            text = str(answer)
            self._refused("PTTL", text)
            if text.startswith(_MOVED):
                tally.gone += 1
            elif not is_denial(text):
                tally.forbidden += 1
            else:
                tally.count += 1
            return is_denial(text)
        if answer is None:
            tally.count += 1
            return True
        there = tally.add_ttl(answer)
        self._harvest.add_own(self._wire.name, int(there), int(not there))
        return there

    def _size(self, answer: Answer) -> int:
        if isinstance(answer, hiredis.ReplyError):
            self._refused("MEMORY USAGE", str(answer))
            return 0
        return answer or 0

    def _add_types(self, keys: Sequence[bytes], types: list[Answer], encodings: list[Answer]) -> None:
        for key, kind, encoding in zip(keys, types, encodings, strict=True):
            for command, answer in (("TYPE", kind), ("OBJECT ENCODING", encoding)):
                if isinstance(answer, hiredis.ReplyError):
                    self._refused(command, str(answer))
                    continue
                there = answer not in (None, b"none")
                self._harvest.add_own(self._wire.name, int(there), int(not there))
            if isinstance(kind, bytes) and kind != b"none":
                name = encoding.decode() if isinstance(encoding, bytes) else ""
                self._harvest.tally.of(self._harvest.folding.pattern_of(key)).add_type(kind.decode(), name)

    def _refused(self, command: str, text: str) -> None:
        """Leave out from now on what is denied; an error of a single key is none of the command."""
        if not is_denial(text):
            return
        self._harvest.note_errors({command: text})
        if command == "PTTL":
            self._ask_ttl = False
        elif command == "MEMORY USAGE":
            self._ask_memory = False
        else:
            self._ask_type = False


def _heed_the_server(groups: list[list[Answer]]) -> None:
    """Raise RefusedError for what is no answer about a key: the server loads, is busy, or has lost its primary."""
    for answers in groups:
        for answer in answers:
            if isinstance(answer, hiredis.ReplyError) and str(answer).startswith(_NOT_NOW):
                raise RefusedError(str(answer))
