"""Adds up what a server answers about its keys, a batch at a time; what is denied is noticed once, for each command."""

import re
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from types import TracebackType
from typing import Self

import hiredis

from dbvitals.analyse.key_tally import GONE, NO_TTL, STAYING
from dbvitals.collect.keyspace_harvest import Giant, Harvest
from dbvitals.collect.keyspace_sums import SETTLE_EVERY, Sums
from dbvitals.collect.redis_wire import Answer, RefusedError, is_denial

TYPE_STRIDES = ((1_000, 1), (100_000, 8))
WIDE_STRIDE = 32
"""Until so many keys were seen, one in so many is asked for type and encoding, which are two more hits; then one in 32.
For a share, fewer of many are enough."""

STAYING_ASKED = 10_000
"""Keys without TTL of which every one is asked whether its fields expire, which takes up to four hits; then some."""

TURN_KEYS, TURN_LOOKS = 500, 8
"""After each batch, one pattern that has so many times of expiry hands them over, if it is among the next so many."""

NOT_ASKED = b""
"""Stands where OBJECT ENCODING would be answered."""

_MOVED = re.compile("(MOVED|ASK|TRYAGAIN|CLUSTERDOWN Hash slot)|.*access a (non local key|slot not served)")
"""Answers for a key that is another node's by now, or nobody's: its slot went after the page was read."""

_NOT_NOW = re.compile("(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN The cluster)|.*while the cluster is down")
"""What is no answer about a key: the server loads, is busy, has lost its primary; or its cluster is down."""

TypeAnswers = tuple[bytes, Answer, Answer, Answer, Answer, Answer]
"""A key, and what PTTL, TYPE, OBJECT ENCODING (or NOT_ASKED), HRANDFIELD and HPTTL (None where not asked) gave.

A hash goes away when all of its fields do; three of them are looked at.
"""

FIELDS = 3


class _Sums(Sums):
    """With what only a server that is asked can tell, or refuse."""

    __slots__ = (
        "expiring_fields",
        "forbidden",
        "kinds",
        "no_ttl_asked",
        "no_ttl_expiring",
        "unknown",
        "unmeasured",
    )

    def __init__(self, *, tenanted: bool) -> None:
        super().__init__(tenanted=tenanted)
        self.forbidden = self.expiring_fields = 0
        self.no_ttl_asked = self.no_ttl_expiring = 0
        self.unknown = self.unmeasured = 0
        """Keys that are there, without a TTL or a size that we may know."""
        self.kinds: Counter[tuple[str, str]] = Counter()


class Gathering:
    """Keys of one database of one node; leaving it hands all over to the harvest. `denied` are commands."""

    def __init__(self, harvest: Harvest, node: str, db: int) -> None:
        self.denied: set[str] = set()
        self._harvest, self._node, self._db = harvest, node, db
        self._heads, self._separator = harvest.folding.heads()
        self._sums: dict[str, _Sums] = {}
        self._by_head: dict[bytes, _Sums] = {}
        self._turns: deque[str] = deque()
        self._seen, self._left = 0, SETTLE_EVERY
        self._now_ms = 0
        self._staying_asked = 0
        self._expiring: set[bytes] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._settle()

    @property
    def type_stride(self) -> int:
        """One key in so many is to be asked for type and encoding, now."""
        return next((stride for keys, stride in TYPE_STRIDES if self._seen < keys), WIDE_STRIDE)

    @property
    def asks_staying(self) -> bool:
        """Whether every key without TTL is to be asked if its fields expire, now."""
        return self._staying_asked < STAYING_ASKED

    def add(self, keys: Sequence[bytes], ttls: Sequence[Answer], sizes: Sequence[Answer], now_ms: int) -> None:
        """Add keys up by what PTTL and MEMORY USAGE gave for each, in order, at `now_ms` (since 1970).

        Empty is what was not asked. Raises RefusedError when the server answers for no key at all.
        """
        plain = {*map(type, ttls), *map(type, sizes)} == {int} and len(ttls) == len(sizes) and GONE not in ttls
        if not plain:
            _heed_the_server((*ttls, *sizes))
        self._now_ms = now_ms
        self._harvest.seen += len(keys)
        self._seen += len(keys)
        self._left -= len(keys)
        if plain:
            self._add_plain(keys, ttls, sizes)
        else:
            self._add_one_by_one(keys, ttls, sizes)
        self._expiring.clear()
        if self._left <= 0:
            self._settle()
        else:
            self._take_turns()

    def add_types(self, typed: Iterable[TypeAnswers], staying: Iterable[TypeAnswers] = ()) -> None:
        """Add types and encodings up, and hashes of which all fields expire; before the same keys are added.

        `staying` are keys without TTL that are no random choice, and count for their fields alone.
        """
        for answers in typed:
            self._add_type(answers, chosen=True)
        for answers in staying:
            self._add_type(answers, chosen=False)

    def _add_type(self, answers: TypeAnswers, *, chosen: bool) -> None:
        key, ttl, kind, encoding, fields, field_ttls = answers
        self._own("TYPE", kind, there=kind not in (None, b"none"))
        if encoding != NOT_ASKED:
            self._own("OBJECT ENCODING", encoding, there=encoding is not None)
        if not isinstance(kind, bytes) or kind == b"none":
            return
        sums = self._sums_of(key)
        if fields is not None:
            self._own("HRANDFIELD", fields, there=fields != [])
        if field_ttls is not None:
            self._own("HPTTL", field_ttls, there=True)
        expires = isinstance(field_ttls, list) and min(field_ttls) >= 0
        if chosen:
            sums.kinds[kind.decode(), encoding.decode() if isinstance(encoding, bytes) else ""] += 1
            sums.expiring_fields += expires
        if ttl == NO_TTL and (kind != b"hash" or isinstance(field_ttls, list)):
            self._staying_asked += 1
            sums.no_ttl_asked += 1
            sums.no_ttl_expiring += expires
        if expires:
            self._expiring.add(key)

    def _add_plain(self, keys: Sequence[bytes], ttls: Sequence[int], sizes: Sequence[int]) -> None:
        # Every line here is run for each key: a call to another function of ours would cost a tenth of the time.
        known, separator, now_ms = self._by_head, self._separator, self._now_ms
        for key, ttl, size in zip(keys, ttls, sizes, strict=True):
            sums = known.get(key[: key.find(separator) + 1]) or self._sums_of(key)
            if ttl == NO_TTL:
                if len(sums.without_ttl) < STAYING and key not in self._expiring:
                    sums.without_ttl.append(key)
                sums.no_ttl += 1
                sums.staying += size
            else:
                sums.expiries.append(ttl)
                sums.moments.append(now_ms + ttl)
            sums.size += size
            if size > sums.floor:
                sums.add_large(size, key)
            if sums.tenanted is not None:
                sums.tenanted.append((key, size))
        self._harvest.add_own(self._node, len(keys), 0)
        if max(sizes, default=0) >= self._harvest.giant_bytes:
            for key, ttl, size in zip(keys, ttls, sizes, strict=True):
                self._add_giant(key, ttl, size)

    def _add_one_by_one(self, keys: Sequence[bytes], ttls: Sequence[Answer], sizes: Sequence[Answer]) -> None:
        """Keys that vanish, or of which an answer is an error; the others among them go together."""
        plain: list[tuple[bytes, int, int]] = []
        for key, ttl, size in zip_longest(keys, ttls, sizes):
            if isinstance(ttl, int) and isinstance(size, int) and ttl != GONE:
                plain.append((key, ttl, size))
            elif self._is_there(key, ttl, vanished=size is None and bool(sizes)):
                self._add_odd(key, ttl, size)
        if plain:
            self._add_plain(*zip(*plain, strict=True))

    def _is_there(self, key: bytes, ttl: Answer, *, vanished: bool) -> bool:
        """Whether a key counts; else it is gone, or not for this user."""
        sums = self._sums_of(key)
        if isinstance(ttl, hiredis.ReplyError):
            text = str(ttl)
            self._refused("PTTL", text)
            if _MOVED.match(text):
                sums.gone += 1
                return False
            if not is_denial(text):
                sums.forbidden += 1
                return False
        elif ttl == GONE:
            self._harvest.add_own(self._node, 0, 1)
        if ttl == GONE or (vanished and not isinstance(ttl, int)):
            sums.gone += 1
            return False
        return True

    def _add_odd(self, key: bytes, ttl: Answer, size: Answer) -> None:
        """A key that is there, and of which the TTL or the size is not to be had."""
        sums = self._sums_of(key)
        if isinstance(size, hiredis.ReplyError):
            self._refused("MEMORY USAGE", str(size))
        memory_bytes = size if isinstance(size, int) else 0
        sums.unmeasured += not isinstance(size, int)
        sums.size += memory_bytes
        if not isinstance(ttl, int):
            sums.unknown += 1
        else:
            self._harvest.add_own(self._node, 1, 0)
            if ttl == NO_TTL:
                if len(sums.without_ttl) < STAYING and key not in self._expiring:
                    sums.without_ttl.append(key)
                sums.no_ttl += 1
                sums.staying += memory_bytes
            else:
                sums.expiries.append(ttl)
                sums.moments.append(self._now_ms + ttl)
        if memory_bytes > sums.floor:
            sums.add_large(memory_bytes, key)
        if sums.tenanted is not None:
            sums.tenanted.append((key, memory_bytes))
        self._add_giant(key, ttl, memory_bytes)

    def _add_giant(self, key: bytes, ttl: Answer, memory_bytes: int) -> None:
        if memory_bytes >= self._harvest.giant_bytes:
            pattern = self._harvest.folding.pattern_of(key)
            self._harvest.add_giant(Giant(memory_bytes, self._node, self._db, key, pattern, ttl == NO_TTL))

    def _sums_of(self, key: bytes) -> _Sums:
        head = key[: key.find(self._separator) + 1]
        pattern = self._heads.get(head) or self._harvest.folding.pattern_of(key)
        sums = self._sums.get(pattern)
        if sums is None:
            self._turns.append(pattern)
            sums = self._sums[pattern] = _Sums(tenanted=self._harvest.folding.tells_tenants(pattern))
        if head in self._heads:
            self._by_head[head] = sums
        return sums

    def _own(self, command: str, answer: Answer, *, there: bool) -> None:
        """Count a look of ours at a key as the server does."""
        if isinstance(answer, hiredis.ReplyError):
            self._refused(command, str(answer))
        else:
            self._harvest.add_own(self._node, int(there), int(not there))

    def _refused(self, command: str, text: str) -> None:
        """Note what is denied; an error of a single key is none of the command."""
        if is_denial(text):
            self.denied.add(command)
            self._harvest.note_errors({command: text})

    def _take_turns(self) -> None:
        """Hand over what takes long, one pattern after the other: all at once would let the server wait for us."""
        for _ in range(min(TURN_LOOKS, len(self._turns))):
            pattern = self._turns[0]
            self._turns.rotate(-1)
            if len(self._sums[pattern].expiries) >= TURN_KEYS:
                self._hand_over(pattern, self._sums[pattern])
                return

    def _hand_over(self, pattern: str, sums: _Sums) -> None:
        """Hand over the times of expiry, and what tenants have."""
        tally, number = self._harvest.tally.of(pattern), len(sums.expiries)
        tally.count += number
        tally.ttl_known += number
        tally.memory_known += number
        tally.add_expiries(sums.expiries)
        sums.expiries = []
        if sums.tenanted:
            self._harvest.add_tenants(pattern, sums.tenanted)
            sums.tenanted = []

    def _settle(self) -> None:
        for pattern, sums in self._sums.items():
            self._hand_over(pattern, sums)
            tally = self._harvest.tally.of(pattern)
            tally.gone += sums.gone
            tally.forbidden += sums.forbidden
            tally.count += sums.no_ttl + sums.unknown
            tally.ttl_known += sums.no_ttl
            tally.no_ttl += sums.no_ttl
            tally.memory_known += sums.no_ttl + sums.unknown - sums.unmeasured
            tally.memory_bytes += round(sums.size)
            tally.no_ttl_bytes += round(sums.staying)
            tally.no_ttl_asked += sums.no_ttl_asked
            tally.no_ttl_expiring += sums.no_ttl_expiring
            tally.expiring_fields += sums.expiring_fields
            for (kind, encoding), number in sums.kinds.items():
                tally.add_types(kind, encoding, number)
            tally.add_moments(sums.moments)
            for key in sums.without_ttl:
                tally.add_staying(self._harvest.name_of(key))
            for size, key in sorted(sums.largest, reverse=True):
                self._harvest.add_name(tally, key, round(size))
        self._sums.clear()
        self._by_head.clear()
        self._turns.clear()
        self._left = SETTLE_EVERY


def _heed_the_server(answers: Iterable[Answer]) -> None:
    for answer in answers:
        if isinstance(answer, hiredis.ReplyError) and _NOT_NOW.match(str(answer)):
            raise RefusedError(str(answer))
