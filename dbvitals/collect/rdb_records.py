"""Walks through a dump, key by key."""

import struct
from collections.abc import Iterator
from typing import Final

from dbvitals.collect.rdb_file import ANOTHER, DumpFile
from dbvitals.collect.rdb_memory import MemoryModel
from dbvitals.collect.rdb_streams import REDIS_STREAMS, STREAMS, skip_module_parts
from dbvitals.collect.rdb_strings import SIX_BITS, RdbError, length_at, read_string, skip_string
from dbvitals.collect.rdb_values import REDIS_VALUES, VALKEY_VALUES, VALUES, Skip, string_length

Record = tuple[int, bytes, int | None, float, str, int, int]
"""A key: database, name, expiry in milliseconds since 1970, what MEMORY USAGE would say (about), type and encoding,
the number of the type, and the place of the value. A plain tuple: making a named one takes a tenth of the time."""

STRING: Final = 0
EXPIRY_AND_KIND = struct.Struct("<QB")
OPCODES: Final = 0xF3
"""Numbers from here on are no types of values."""
KEY_META, SLOT_INFO, FUNCTION, MODULE_AUX, IDLE, FREQUENCY, AUX = 0xF3, 0xF4, 0xF5, 0xF7, 0xF8, 0xF9, 0xFA
RESIZE, EXPIRY_MS, EXPIRY_S, SELECT, END = 0xFB, 0xFC, 0xFD, 0xFE, 0xFF
EXPIRING_FIELDS = frozenset({22, 24, 25})
"""Types of hashes of which fields expire."""
CLASS_SPEC = 4
RELEASE_EVERY = 1 << 20


class Walk:
    """One way through a dump."""

    def __init__(self, file: DumpFile, model: MemoryModel) -> None:
        self._file = file
        self._dump = file.dump
        self._model = model
        self._database = 0
        self._types = types_of(file)

    def records(self) -> Iterator[Record]:
        """Give every key. Raises RdbError where the dump is damaged or cut off."""
        # Every line here is run for each key: a call to another function of ours would cost a tenth of the time.
        dump, release, types, from_bytes = self._dump, self._file.release, self._types, int.from_bytes
        string_size, key_size, expiry_and_kind = self._model.string, self._model.key, EXPIRY_AND_KIND.unpack_from
        size: float
        expiry: int | None = None
        place, release_at = self._file.start, 0
        self._file.rewind()
        try:
            while True:
                kind = dump[place]
                if kind == EXPIRY_MS:
                    expiry, kind = expiry_and_kind(dump, place + 1)
                    place += 9
                if kind >= OPCODES:
                    if kind == END:
                        return
                    if kind == EXPIRY_S:
                        expiry = from_bytes(dump[place + 1 : place + 5], "little") * 1000
                    place = self._operation(kind, place + 1)
                    continue
                length = dump[place + 1]
                start = place + 2 + length
                if length < SIX_BITS:
                    key = dump[place + 2 : start]
                else:
                    key, start = read_string(dump, place + 1)
                if kind == STRING:
                    length, place = string_length(dump, start)
                    size, encoding = string_size(len(key), length, expiry is not None)
                else:
                    skip = types.get(kind)
                    if skip is None:
                        raise self._unknown(kind, place)
                    place, size, encoding = skip(dump, start, self._model, release)
                    size += key_size(len(key), expiry is not None)
                yield self._database, key, expiry, size, encoding, kind, start
                expiry = None
                if place > release_at:
                    release(place)
                    release_at = place + RELEASE_EVERY
        except (IndexError, struct.error):
            raise RdbError(f"{self._file.path} is cut off", mend=ANOTHER) from None

    def _unknown(self, kind: int, place: int) -> RdbError:
        return RdbError(f"{self._file.path} is damaged, or newer than known: {kind} at byte {place}", mend=ANOTHER)

    def _operation(self, kind: int, place: int) -> int:
        """Take in what stands between keys, and give the place after it."""
        if kind == EXPIRY_S:
            return place + 4
        if kind == SELECT:
            self._database, place = length_at(self._dump, place)
            return place
        if kind == FREQUENCY:
            return place + 1
        if kind in (FUNCTION, AUX):
            return self._strings(place, 1 if kind == FUNCTION else 2)
        if kind == KEY_META:
            return self._metadata(place)
        if kind == MODULE_AUX:
            return skip_module_parts(self._dump, self._lengths(place, 1), self._file.release)
        if kind in LENGTHS_AFTER:
            return self._lengths(place, LENGTHS_AFTER[kind])
        raise self._unknown(kind, place - 1)

    def _lengths(self, place: int, count: int) -> int:
        for _ in range(count):
            _, place = length_at(self._dump, place)
        return place

    def _strings(self, place: int, count: int) -> int:
        for _ in range(count):
            _, place = skip_string(self._dump, place)
        return place

    def _metadata(self, place: int) -> int:
        """What modules attach to a key (Redis 8.6); Valkey uses the number for the import of a slot."""
        if self._file.about.is_valkey:
            ranges, place = length_at(self._dump, self._strings(place, 1))
            return self._lengths(place, 2 * ranges)
        classes, place = length_at(self._dump, place)
        for _ in range(classes):
            place = skip_module_parts(self._dump, place + CLASS_SPEC, self._file.release)
        return place


def size_of(record: Record, file: DumpFile, model: MemoryModel) -> float:
    """What another model makes of a key."""
    _, key, expiry, _, _, kind, place = record
    if kind == STRING:
        return model.string(len(key), string_length(file.dump, place)[0], expiry is not None)[0]
    _, size, _ = types_of(file)[kind](file.dump, place, model, _keep)
    return size + model.key(len(key), expiry is not None)


def _keep(place: int) -> None:
    """Give back no memory."""


LENGTHS_AFTER = {SLOT_INFO: 3, IDLE: 1, RESIZE: 2}


def types_of(file: DumpFile) -> dict[int, Skip]:
    """How to step over each type of value; Redis and Valkey have given some numbers two meanings."""
    if file.about.is_valkey:
        return VALUES | STREAMS | VALKEY_VALUES
    return VALUES | STREAMS | REDIS_VALUES | REDIS_STREAMS
