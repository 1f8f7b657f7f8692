"""Steps over streams and over what modules wrote."""

from mmap import mmap

from dbvitals.collect.rdb_memory import MemoryModel
from dbvitals.collect.rdb_strings import RdbError, length_at, skip_string
from dbvitals.collect.rdb_values import MILLISECONDS, Passed, Release, Skip

ID = 16
MODULE_END, MODULE_SIGNED, MODULE_UNSIGNED, MODULE_FLOAT, MODULE_DOUBLE, MODULE_STRING = range(6)


def stream(generation: int) -> Skip:
    """Streams as of a generation of their format, 1 to 4 (Redis 5, 7.0, 7.2, 8.6)."""

    def skip(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
        blocks, place = _blocks(dump, place, release)
        size = model.stream(blocks)
        # Length and last id; from the second generation the first id, the last deleted one, and how many were added.
        place = _lengths(dump, place, 3 if generation == 1 else 8)
        groups, place = length_at(dump, place)
        for _ in range(groups):
            taken, place = _group(dump, place, generation, model, release)
            size += taken
        if generation >= 4:
            place = _producers(dump, place)
        return place, size, "stream/stream"

    return skip


def _blocks(dump: mmap, place: int, release: Release) -> tuple[list[int], int]:
    count, place = length_at(dump, place)
    sizes = []
    for _ in range(count):
        _, place = skip_string(dump, place)
        size, place = skip_string(dump, place)
        sizes.append(size)
        release(place)
    return sizes, place


def _group(dump: mmap, place: int, generation: int, model: MemoryModel, release: Release) -> tuple[int, int]:
    _, place = skip_string(dump, place)
    place = _lengths(dump, place, 2 if generation == 1 else 3)
    pending, place = length_at(dump, place)
    for _ in range(pending):
        _, place = length_at(dump, place + ID + MILLISECONDS)
        release(place)
    consumers, place = length_at(dump, place)
    times = 1 if generation <= 2 else 2
    for _ in range(consumers):
        _, place = skip_string(dump, place)
        own, place = length_at(dump, place + MILLISECONDS * times)
        place += own * ID
    return model.group + model.pending * pending + model.consumer * consumers, place


def _producers(dump: mmap, place: int) -> int:
    """Step over the identities by which repeated messages are known."""
    place = _lengths(dump, place, 2)
    producers, place = length_at(dump, place)
    for _ in range(producers):
        _, place = skip_string(dump, place)
        messages, place = length_at(dump, place)
        for _ in range(messages):
            _, place = skip_string(dump, place)
            place = _lengths(dump, place, 2)
    return _lengths(dump, place, 2)


def _lengths(dump: mmap, place: int, count: int) -> int:
    for _ in range(count):
        _, place = length_at(dump, place)
    return place


def skip_module(dump: mmap, place: int, model: MemoryModel, release: Release) -> Passed:
    """A value of a module: it says of each part what it is. Its memory is only known to the module."""
    _, start = length_at(dump, place)
    end = skip_module_parts(dump, start, release)
    return end, end - start, "module/module"


def skip_module_parts(dump: mmap, place: int, release: Release) -> int:
    """Give the place after the parts. Raises RdbError."""
    while True:
        kind, place = length_at(dump, place)
        if kind == MODULE_END:
            return place
        if kind in (MODULE_SIGNED, MODULE_UNSIGNED):
            _, place = length_at(dump, place)
        elif kind == MODULE_FLOAT:
            place += 4
        elif kind == MODULE_DOUBLE:
            place += 8
        elif kind == MODULE_STRING:
            _, place = skip_string(dump, place)
        else:
            raise RdbError(f"the dump is damaged: no part of a module at byte {place}", mend="make a new one")
        release(place)


STREAMS: dict[int, Skip] = {7: skip_module, 15: stream(1), 19: stream(2), 21: stream(3)}
REDIS_STREAMS: dict[int, Skip] = {26: stream(4)}
