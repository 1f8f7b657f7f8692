"""About how much memory a key takes: sizes from lengths, as MEMORY USAGE counts them, by server and allocator.

Sources: `objectComputeSize` and `memoryCommand` of Redis 6.2, 7.0 and 8.2 and Valkey 8.1 and 9.1, checked against
MEMORY USAGE of those servers. What differs from build to build is left to the calibration.
"""

import bisect
import functools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

POINTER = 8
OBJECT, ZSET, SKIPLIST = 16, 16, 32  # robj, zset, zskiplist
LARGEST_TABLED = 1 << 14
REMEMBERED = 1 << 16
SHORT_SDS, BYTE_SDS, WORD_SDS = 32, 256, 1 << 16
INTEGER = -1
"""Instead of a string's length: the server keeps it as a number, inside the object."""
INT, EMBSTR, RAW = "string/int", "string/embstr", "string/raw"
EMBEDDED_STRING = 44
SKIPLIST_LEVELS, LEVEL_CHANCE = 32, 0.25


@dataclass(frozen=True, slots=True)
class Allocator:
    """Gives the usable size of a block that was asked for: `sizes` up to `LARGEST_TABLED`, `beyond` from there on."""

    name: str
    sizes: Sequence[int]
    beyond: Callable[[int], int]

    def size(self, asked: int) -> int:
        """Bytes that a block of so many takes."""
        return self.sizes[asked] if asked <= LARGEST_TABLED else self.beyond(asked)


def _jemalloc(name: str, smallest: Sequence[int]) -> Allocator:
    """Four classes to each power of two, above the `smallest`, which depend on how it was built."""
    classes = [*smallest]
    while classes[-1] < 1 << 42:
        power = 1 << (classes[-1].bit_length() - 1)
        classes.extend(power + power // 4 * step for step in range(1, 5))

    def size(asked: int) -> int:
        return classes[bisect.bisect_left(classes, asked)]

    return Allocator(name, [size(asked) for asked in range(LARGEST_TABLED + 1)], size)


def _glibc() -> Allocator:
    """Eight bytes in front of each block, 16 to a step, and at least 24 usable."""

    def size(asked: int) -> int:
        return max(24, -(-(asked + 8) // 16) * 16 - 8)

    return Allocator("libc", [size(asked) for asked in range(LARGEST_TABLED + 1)], size)


JEMALLOC = _jemalloc("jemalloc", [*range(8, 65, 8)])
"""As Redis and Valkey bring it with them."""
SYSTEM_JEMALLOC = _jemalloc("system jemalloc", [8, *range(16, 65, 16)])
"""As Debian and others build it."""
LIBC = _glibc()
ALLOCATORS = (JEMALLOC, SYSTEM_JEMALLOC, LIBC)
"""The likeliest first: official builds bring their own."""


def sds_bytes(length: int) -> int:
    """What is asked of the allocator for a string: header, text, and the zero after it."""
    if length < SHORT_SDS:
        return length + 2
    if length < BYTE_SDS:
        return length + 4
    return length + (6 if length < WORD_SDS else 10)


class MemoryModel:
    """Redis 7.0: an entry of the dictionary, the key's text, an object, and the value, each a block of its own."""

    entry = 24
    element_entry = 24
    """An element's entry in the hash table of its collection."""
    dictionary = 56
    zset_entry = 24
    quicklist = 40
    quicklist_node = 32
    stream_base, stream_block = 90, 500
    """What a stream takes beside its listpacks, for itself and for each: mostly the tree that finds them."""
    open_block = 4096
    """What the listpack that is still written to takes at least."""
    group, consumer, pending = 280, 265, 1100
    bare_lists = False
    """Whether a list of one listpack is kept without a node around it."""

    def __init__(self, allocator: Allocator) -> None:
        self.allocator = allocator
        self.size = allocator.size
        # What is asked once for each key or element, and again and again for the same few lengths.
        self.key = functools.lru_cache(REMEMBERED)(self._key)
        self.string = functools.lru_cache(REMEMBERED)(self._string)
        self.pair = functools.lru_cache(REMEMBERED)(self._pair)
        self.scored = functools.lru_cache(REMEMBERED)(self._scored)
        self._sds = [self.size(sds_bytes(length)) for length in range(LARGEST_TABLED)]
        self.skiplist_header = self.size(_node(SKIPLIST_LEVELS))

    def packed(self, length: int) -> int:
        """A listpack, a ziplist, or a set of integers."""
        return self.size(length)

    def sds(self, length: int) -> int:
        """A string in a block of its own."""
        return self._sds[length] if length < LARGEST_TABLED else self.size(sds_bytes(length))

    def _key(self, length: int, expires: bool) -> int:
        """All of a key but its value. Where the entry of its expiry is a block of its own, nobody counts that."""
        return self.entry + OBJECT + self.sds(length)

    def _string(self, key_length: int, length: int, expires: bool) -> tuple[int, str]:
        """A key with a string, of which the length, or INTEGER, is given: its size and encoding."""
        key = self.key(key_length, expires)
        if length == INTEGER:
            return key, INT
        if length <= EMBEDDED_STRING:
            return key - OBJECT + self.embedded(length), EMBSTR
        return key + self.sds(length), RAW

    def embedded(self, length: int) -> int:
        """A short string in one block with its object."""
        return self.size(OBJECT + length + 4)

    def table(self, count: int) -> int:
        """A hash table of so many elements, without them."""
        return self.dictionary + POINTER * _power_of_two(count, least=4)

    def _pair(self, field: int, value: int) -> int:
        """A field of a hash with its value, by their lengths."""
        return self.element_entry + self.sds(field) + self.sds(value)

    def member(self, length: int) -> int:
        """A member of a set."""
        return self.element_entry + self.sds(length)

    def _scored(self, length: int) -> float:
        """A member of a sorted set, which is in a hash table and in a skip list."""
        return self.zset_entry + self.sds(length) + self._mean_node(0)

    def stream(self, blocks: Sequence[int]) -> int:
        """A stream whose listpacks are so long; the last one has room for what is written next."""
        *full, last = blocks or [0]
        packs = sum(map(self.size, full)) + self.size(max(last, self.open_block if blocks else 0))
        return self.stream_base + self.stream_block * len(blocks) + packs

    def skiplist(self, count: int) -> int:
        """A sorted set of so many elements, without them: two structures, the first node, the table."""
        return ZSET + SKIPLIST + self.skiplist_header + self.table(count)

    def _mean_node(self, extra: int) -> float:
        """A node of a skip list, which has each further level with a chance of one in four."""
        shares = [(1 - LEVEL_CHANCE) * LEVEL_CHANCE**level for level in range(SKIPLIST_LEVELS)]
        return sum(share * self.size(_node(levels) + extra) for levels, share in enumerate(shares, start=1))


class Redis6(MemoryModel):
    """Redis 6: a larger dictionary; of short strings and packed values the text is counted, not the block."""

    dictionary = 96
    open_block = 0

    def packed(self, length: int) -> int:
        """What it counts."""
        return length

    def embedded(self, length: int) -> int:
        """What it counts."""
        return OBJECT + length + 2


class Redis7(MemoryModel):
    """Redis 7.2 and 7.4: a short list has no node around it."""

    bare_lists = True


class Redis8(Redis7):
    """Redis 8: the key's text, its expiry and a short value lie in one block with the object."""

    entry = 0
    zset_entry = 16
    roof = 64
    """Bytes up to which a key and its value share a block."""
    saved = 0
    """Bytes that a value in the same block saves."""

    def _key(self, length: int, expires: bool) -> int:
        """The object with the key in it."""
        return self.size(self.bare(length, expires))

    def bare(self, length: int, expires: bool) -> int:
        """What is asked for the object and the key in it."""
        return OBJECT + 1 + sds_bytes(length) + (POINTER if expires else 0)

    def _string(self, key_length: int, length: int, expires: bool) -> tuple[int, str]:
        """One block for all when it is short enough, else two."""
        bare = self.bare(key_length, expires)
        if length == INTEGER:
            return self.size(bare), INT
        together = bare - self.saved + length + 4
        if together <= self.roof:
            return self.size(max(bare, together)), EMBSTR
        return self.size(bare) + self.sds(length), RAW


class Valkey8(Redis8):
    """Valkey 8.1: as Redis 8; its hash tables are buckets of seven, a field and its value one block."""

    element_entry = 0
    shared_block = 128
    bucket, per_bucket = 64, 7
    hashtable = 88
    zset_entry = 8
    stream_base, stream_block = 110, 70
    group, consumer, pending = 104, 112, 150

    def table(self, count: int) -> int:
        """Buckets, and those chained to the ones that are full: as many as Poisson's law expects."""
        buckets = _power_of_two(-(-count * 5 // 32), least=1)
        chained = buckets * _poisson_above(self.per_bucket, count / buckets)
        return self.hashtable + round(self.bucket * (buckets + chained))

    def _pair(self, field: int, value: int) -> int:
        """One block, or two when the value is long."""
        together = sds_bytes(field) + value + 4
        if together <= self.shared_block:
            return self.size(together)
        return self.size(sds_bytes(field) + POINTER) + self.sds(value)

    def _scored(self, length: int) -> float:
        """A node of the skip list that holds its member."""
        return self.zset_entry + self._mean_node(sds_bytes(length) + 1 - POINTER)


class Valkey9(Valkey8):
    """Valkey 9: a short value takes the place of the pointer to it."""

    roof = 128
    saved = POINTER
    zset_entry = 0


_PRODUCTS: dict[str, tuple[tuple[tuple[int, int], type[MemoryModel]], ...]] = {
    "redis": (((8, 0), Redis8), ((7, 2), Redis7), ((7, 0), MemoryModel), ((0, 0), Redis6)),
    "valkey": (((9, 0), Valkey9), ((8, 1), Valkey8), ((0, 0), Redis7)),
}


def model_of(product: str, version: str) -> type[MemoryModel]:
    """The model that a server follows; with which allocator it was built, no version tells."""
    match = re.match(r"(\d+)\.(\d+)", version)
    number = (int(match[1]), int(match[2])) if match else (7, 0)
    return next(model for since, model in _PRODUCTS[product] if number >= since)


def _node(levels: int) -> int:
    return 24 + 16 * levels


def _power_of_two(count: int, *, least: int) -> int:
    return max(least, 1 << max(0, count - 1).bit_length())


def _poisson_above(most: int, mean: float) -> float:
    """The chance of more than `most` where `mean` are expected."""
    return 1 - sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(most + 1))
