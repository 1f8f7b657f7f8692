"""Steps over the values of a dump without decoding them: where each ends, about how much memory it takes, its encoding.

Formats: `rdb.h` and `rdbLoadObject` of Redis 6.2 to 8 (versions 9 to 13) and Valkey 8 and 9 (version 80). Their module
and stream types are in `rdb_streams`.
"""

import re
from collections.abc import Callable
from mmap import mmap

from dbvitals.collect.rdb_memory import INTEGER, MemoryModel
from dbvitals.collect.rdb_strings import (
    FOURTEEN_BITS,
    INTEGER_8,
    INTEGER_32,
    LZF,
    SIX_BITS,
    TWO_LENGTHS,
    length_at,
    skip_string,
)

BLOCK = 4096
"""Elements between two looks at whether memory of the file can be given back."""

MILLISECONDS = 8
EXPIRY_TREE, FIELD_EXPIRY = 64, 16
DOUBLE = 8
PLAIN_NODE = 1
LONGEST_SCORE = 253
"""The byte before a score that is text gives its length up to this; above are NaN and the infinities."""
SHORTEST_NUMBER, LONGEST_NUMBER = 12, 20
NUMBER = re.compile(rb"-?[1-9][0-9]+")
NEVER = b"\xff" * 8
"""The moment of expiry, -1, of a field that does not expire."""

Passed = tuple[int, float, str]
"""The place after a value, the bytes of it that are not its key's, and its type and encoding."""
Release = Callable[[int], None]
"""Told of a place that has been passed: what lies before it is not needed any more."""
Skip = Callable[[mmap, int, MemoryModel, Release], Passed]


def string_length(dump: mmap, place: int) -> tuple[int, int]:
    """Give the length of a string value, or INTEGER for a number, and the place after it."""
    first = dump[place]
    if first < SIX_BITS:
        end = place + 1 + first
        if SHORTEST_NUMBER <= first <= LONGEST_NUMBER and NUMBER.fullmatch(dump, place + 1, end):
            return INTEGER, end  # a number of 64 bits is written as text
        return first, end
    if first < FOURTEEN_BITS:
        length = (first & 63) << 8 | dump[place + 1]
        return length, place + 2 + length
    if first == LZF:
        packed, length = TWO_LENGTHS(dump, place + 1)
        if packed >> 14 == 1 == length >> 14:  # as in skip_string; to call it takes as long again
            return length & 0x3FFF, place + 5 + (packed & 0x3FFF)
    if INTEGER_8 <= first <= INTEGER_32:
        return INTEGER, place + 1 + (1 << (first & 3))
    return skip_string(dump, place)


def block(encoding: str) -> Skip:
    """Values that are one string: listpacks, ziplists, sets of integers."""

    def skip(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
        size, end = skip_string(dump, place)
        return end, model.packed(size), encoding

    return skip


def skip_timed_listpack(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
    """A listpack of fields with expiry, after the earliest one."""
    size, end = skip_string(dump, place + MILLISECONDS)
    return end, model.size(size) + 24, "hash/listpackex"


def skip_list(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
    """A list of strings, as before version 7."""
    count, place = length_at(dump, place)
    total = 0
    for first in range(0, count, BLOCK):
        for _ in range(min(BLOCK, count - first)):
            length, place = skip_string(dump, place)
            total += model.sds(length)
        release(place)
    return place, model.quicklist + total, "list/quicklist"


def skip_quicklist(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
    """Nodes that are ziplists."""
    count, place = length_at(dump, place)
    total = 0
    for _ in range(count):
        size, place = skip_string(dump, place)
        total += model.quicklist_node + model.packed(size)
        release(place)
    return place, model.quicklist + total, "list/quicklist"


def skip_quicklist_2(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
    """Nodes that are listpacks, or one large element each."""
    count, place = length_at(dump, place)
    total, kind, size = 0, 0, 0
    for _ in range(count):
        kind, place = length_at(dump, place)
        size, place = skip_string(dump, place)
        total += model.quicklist_node + model.packed(size)
        release(place)
    if model.bare_lists and count == 1 and kind != PLAIN_NODE:
        return place, model.size(size), "list/listpack"
    return place, model.quicklist + total, "list/quicklist"


def skip_set(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
    """A hash table of members."""
    count, place = length_at(dump, place)
    total = model.table(count)
    for first in range(0, count, BLOCK):
        for _ in range(min(BLOCK, count - first)):
            length, place = skip_string(dump, place)
            total += model.member(length)
        release(place)
    return place, total, "set/hashtable"


def skip_hash(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
    """A hash table of fields."""
    count, place = length_at(dump, place)
    total = model.table(count)
    for first in range(0, count, BLOCK):
        for _ in range(min(BLOCK, count - first)):
            field, place = skip_string(dump, place)
            value, place = skip_string(dump, place)
            total += model.pair(field, value)
        release(place)
    return place, total, "hash/hashtable"


def skip_hash_with_expiry(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
    """A hash table of fields, of which some expire; Redis 7.4 puts the time before each, as a distance."""
    count, place = length_at(dump, place + MILLISECONDS)
    total = model.table(count) + EXPIRY_TREE
    for first in range(0, count, BLOCK):
        for _ in range(min(BLOCK, count - first)):
            expiry, place = length_at(dump, place)
            field, place = skip_string(dump, place)
            value, place = skip_string(dump, place)
            total += model.pair(field, value) + (FIELD_EXPIRY if expiry else 0)
        release(place)
    return place, total, "hash/hashtable"


def skip_valkey_hash(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
    """A hash table of fields, of which some expire; Valkey 9 puts the time after each."""
    count, place = length_at(dump, place)
    total = model.table(count)
    for first in range(0, count, BLOCK):
        for _ in range(min(BLOCK, count - first)):
            field, place = skip_string(dump, place)
            value, place = skip_string(dump, place)
            expires = dump[place : place + MILLISECONDS] != NEVER
            total += model.pair(field, value) + (MILLISECONDS if expires else 0)
            place += MILLISECONDS
        release(place)
    return place, total, "hash/hashtable"


def skip_sorted_set(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
    """A skip list; each member's score follows as a double."""
    count, place = length_at(dump, place)
    total: float = model.skiplist(count)
    for first in range(0, count, BLOCK):
        for _ in range(min(BLOCK, count - first)):
            length, place = skip_string(dump, place)
            total += model.scored(length)
            place += DOUBLE
        release(place)
    return place, total, "zset/skiplist"


def skip_old_sorted_set(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
    """A skip list with its scores as text, as before version 8."""
    count, place = length_at(dump, place)
    total: float = model.skiplist(count)
    for _ in range(count):
        length, place = skip_string(dump, place)
        digits = dump[place]
        place += 1 + (digits if digits <= LONGEST_SCORE else 0)
        total += model.scored(length)
        release(place)
    return place, total, "zset/skiplist"


VALUES: dict[int, Skip] = {
    1: skip_list,
    2: skip_set,
    3: skip_old_sorted_set,
    4: skip_hash,
    5: skip_sorted_set,
    9: block("hash/zipmap"),
    10: block("list/ziplist"),
    11: block("set/intset"),
    12: block("zset/ziplist"),
    13: block("hash/ziplist"),
    14: skip_quicklist,
    16: block("hash/listpack"),
    17: block("zset/listpack"),
    18: skip_quicklist_2,
    20: block("set/listpack"),
}
REDIS_VALUES: dict[int, Skip] = {24: skip_hash_with_expiry, 25: skip_timed_listpack}
VALKEY_VALUES: dict[int, Skip] = {22: skip_valkey_hash}
