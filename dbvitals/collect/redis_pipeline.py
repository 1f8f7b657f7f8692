"""A pass by pipelines of plain commands, where scripts are denied; and random samples of keys."""

import time
from collections.abc import Callable, Sequence
from itertools import zip_longest
from random import Random

import hiredis

from dbvitals.analyse.key_tally import GONE, NO_TTL
from dbvitals.collect.keyspace_gathering import FIELDS, NOT_ASKED, Gathering
from dbvitals.collect.keyspace_harvest import Harvest
from dbvitals.collect.redis_pace import Pacer
from dbvitals.collect.redis_wire import Answer, RefusedError, Wire, pack
from dbvitals.snapshot_keyspace import SampledKey

BATCH = 100
"""Keys of a pipeline: the server answers other clients in between, and larger ones are no faster."""

CURSOR_BITS = 48
"""A random cursor has more bits than any table has; the server takes as many as it needs."""

FRUITLESS_ROUNDS = 200
"""So many pages without a key, one after the other: there are none to be had."""

# Commands without their last word, the key: packing each one anew is a third of what a pass takes here.
_PTTL = b"*2\r\n$4\r\nPTTL\r\n"
_MEMORY_USAGE = b"*3\r\n$6\r\nMEMORY\r\n$5\r\nUSAGE\r\n"
_TYPE = b"*2\r\n$4\r\nTYPE\r\n"
_OBJECT_ENCODING = b"*3\r\n$6\r\nOBJECT\r\n$8\r\nENCODING\r\n"

Progress = Callable[[int], None]


class PipelinePass:
    """Asks for every key of one node in pipelines. What is denied is found out once and left out from then on."""

    def __init__(self, wire: Wire, harvest: Harvest, pacer: Pacer, *, ask_fields: bool) -> None:
        self._wire = wire
        self._harvest = harvest
        self._pacer = pacer
        self._ask_fields = ask_fields

    def walk(self, db: int, progress: Progress) -> bool:
        """Go over the selected database; False when the time is up first. Raises RefusedError, LostError."""
        cursor, keys = self._scan(b"0")
        with Gathering(self._harvest, self._wire.name, db) as gathering:
            while True:
                since = time.monotonic()
                more = cursor != b"0" and not self._pacer.over
                next_scan = pack(("SCAN", cursor, "COUNT", BATCH)) if more else b""
                page = self._ask(keys, gathering, next_scan)
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
        with Gathering(self._harvest, self._wire.name, db) as gathering:
            while left > 0 and fruitless < FRUITLESS_ROUNDS:
                if self._pacer.over:
                    return False
                since = time.monotonic()
                keys = self._random_names(left) if by_name else self._random_pages(left, random)
                keys = keys[:left]
                fruitless = 0 if keys else fruitless + 1
                self._ask(keys, gathering, b"", keep=True)
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
        self, keys: Sequence[bytes], gathering: Gathering, next_scan: bytes, *, keep: bool = False
    ) -> tuple[bytes, list[bytes]] | None:
        """Ask for keys, and for the next page in the same write, so that no time goes by between the two."""
        denied = gathering.denied
        typed = range(0, len(keys) if "TYPE" not in denied else 0, gathering.type_stride)
        names = [b"$%d\r\n%b\r\n" % (len(key), key) for key in keys]
        groups = [
            [_PTTL + name for name in names] if "PTTL" not in denied else [],
            [_MEMORY_USAGE + name for name in names] if "MEMORY USAGE" not in denied else [],
            [_TYPE + names[position] for position in typed],
            [_OBJECT_ENCODING + names[position] for position in typed] if "OBJECT ENCODING" not in denied else [],
        ]
        self._wire.send_raw(b"".join(command for group in groups for command in group) + next_scan)
        ttls, sizes, kinds, encodings = (self._wire.receive(len(group)) for group in groups)
        following = self._wire.receive(1 if next_scan else 0)  # all that was asked for, or the next answer is another's
        now_ms = round(time.time() * 1000)
        chosen = dict(zip(typed, zip(kinds, encodings or [NOT_ASKED] * len(kinds), strict=True), strict=True))
        known = chosen | self._types_of_staying(keys, ttls, typed, gathering)
        hashes = [keys[at] for at, (kind, _) in known.items() if kind == b"hash" and ttls[at:] and ttls[at] == NO_TTL]
        fields = self._fields_of(hashes, gathering)
        answers = {
            at: (keys[at], ttls[at] if ttls else None, kind, encoding, *fields.get(keys[at], (None, None)))
            for at, (kind, encoding) in known.items()
        }
        gathering.add_types(
            [answers[at] for at in chosen], [answer for at, answer in answers.items() if at not in chosen]
        )
        gathering.add(keys, ttls, sizes, now_ms)
        if keep:
            self._keep(keys, ttls, sizes)
        page = self._checked(following)[0] if following else None
        return None if page is None else (page[0], page[1])

    def _types_of_staying(
        self, keys: Sequence[bytes], ttls: Sequence[Answer], typed: range, gathering: Gathering
    ) -> dict[int, tuple[Answer, Answer]]:
        """What TYPE and OBJECT ENCODING give of the keys without TTL that were not chosen, by their places.

        Always both: by that, runs of ours are told from other tools in the server's counters.
        """
        denied = {"HRANDFIELD", "HPTTL", "TYPE"} & gathering.denied
        if denied or not self._ask_fields or not gathering.asks_staying:
            return {}
        staying = [at for at, ttl in enumerate(ttls) if ttl == NO_TTL and at not in typed]
        self._wire.send([("TYPE", keys[at]) for at in staying])
        kinds = self._wire.receive(len(staying))
        encodings = [NOT_ASKED] * len(staying)
        if "OBJECT ENCODING" not in gathering.denied:
            self._wire.send([("OBJECT", "ENCODING", keys[at]) for at in staying])
            encodings = self._wire.receive(len(staying))
        return dict(zip(staying, zip(kinds, encodings, strict=True), strict=True))

    def _fields_of(self, keys: Sequence[bytes], gathering: Gathering) -> dict[bytes, tuple[Answer, Answer]]:
        """Of hashes without TTL: what HRANDFIELD and HPTTL give, of a few fields of each."""
        if not self._ask_fields or {"HRANDFIELD", "HPTTL"} & gathering.denied:
            return {}
        self._wire.send([("HRANDFIELD", key, FIELDS) for key in keys])
        fields = dict(zip(keys, self._wire.receive(len(keys)), strict=True))
        there = {key: some for key, some in fields.items() if isinstance(some, list) and some}
        self._wire.send([("HPTTL", key, "FIELDS", len(some), *some) for key, some in there.items()])
        ttls = dict(zip(there, self._wire.receive(len(there)), strict=True))
        return {key: (some, ttls.get(key)) for key, some in fields.items()}

    def _keep(self, keys: Sequence[bytes], ttls: Sequence[Answer], sizes: Sequence[Answer]) -> None:
        """Keep what a sample's error is estimated from."""
        for key, ttl, size in zip_longest(keys, ttls, sizes):
            if ttl != GONE and not isinstance(ttl, hiredis.ReplyError):
                memory_bytes = size if isinstance(size, int) else 0
                pattern = self._harvest.folding.pattern_of(key)
                self._harvest.sample.append(SampledKey(pattern=pattern, memory_bytes=memory_bytes))
