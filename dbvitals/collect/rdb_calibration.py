"""Fits the sizes that a dump lets one estimate to what a live server says of some of the same keys."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from dbvitals.collect.rdb_file import DumpFile
from dbvitals.collect.rdb_memory import ALLOCATORS, MemoryModel, model_of
from dbvitals.collect.rdb_records import Record, Walk, size_of
from dbvitals.collect.redis_wire import LostError, RefusedError, Wire
from dbvitals.errors import ServerError, UsageError

SCOUTED = 100_000
"""Keys at the start of a dump among which some are chosen: they come in the order of hashes, and so by chance."""
PER_ENCODING = 50
FEWEST = 5
"""Keys of an encoding that must have been measured before anything is made of them."""
LARGEST = 64 * 1024
"""Bytes: larger keys are left out, since measuring all their elements would hold up the server."""
ELEMENTS = 100
OFF = 0.5
"""A key that differs by more than this share is not the same any more."""

Measure = Callable[[Sequence[tuple[int, bytes]]], Sequence[int | None]]
"""Gives MEMORY USAGE of keys (database, name) on a live server, None for those that are not there."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What is made of an estimate: `ratio` times it, and `offset` bytes a key."""

    ratio: float = 1.0
    offset: float = 0.0

    def apply(self, keys: int, size: float) -> float:
        """Correct the sum of so many keys."""
        return size * self.ratio + self.offset * keys


UNCHANGED = Correction()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The model that fits best, corrections by encoding, and from how many keys; 0: nothing was measured."""

    model: MemoryModel
    corrections: dict[str, Correction] = field(default_factory=dict)
    measured: int = 0

    def correct(self, encoding: str, keys: int, size: float) -> float:
        """Correct the sum of so many keys of an encoding."""
        return self.corrections.get(encoding, UNCHANGED).apply(keys, size)


def uncalibrated(file: DumpFile) -> Calibration:
    """The likeliest model for the server that wrote the dump."""
    return Calibration(model=model_of(file.about.product, file.about.version)(ALLOCATORS[0]))


def calibrate(file: DumpFile, measure: Measure) -> Calibration:
    """Choose the model and the corrections. Raises UsageError when the server has too few of the dump's keys."""
    model = model_of(file.about.product, file.about.version)
    models = [model(allocator) for allocator in ALLOCATORS]
    chosen = _choose(file, models[0])
    found = measure([(record[0], record[1]) for record in chosen])
    pairs = [(record, size) for record, size in zip(chosen, found, strict=True) if size]
    best = min(models, key=lambda model: _error(file, model, pairs))
    by_encoding: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for record, size in pairs:
        estimate = size_of(record, file, best)
        if abs(estimate - size) <= OFF * size:
            by_encoding[record[4]].append((estimate, size))
    corrections = {encoding: _fit(pairs) for encoding, pairs in by_encoding.items() if len(pairs) >= FEWEST}
    if not corrections:
        raise UsageError(
            f"--calibrate found {len(pairs)} of {len(chosen)} keys of the dump on the server",
            mend="name the server that wrote the dump, or a replica of it, soon after",
        )
    measured = sum(len(by_encoding[encoding]) for encoding in corrections)
    return Calibration(model=best, corrections=corrections, measured=measured)


def measure_by(wire: Wire) -> Measure:
    """Ask a server. Raises ServerError when it may not be asked, or goes away."""

    def measure(keys: Sequence[tuple[int, bytes]]) -> list[int | None]:
        try:
            return [_ask(wire, key) for key in _selected(wire, keys)]
        except RefusedError as error:
            raise ServerError(
                f"{wire.name} does not let us calibrate: {error.text}", mend="the login needs +memory|usage and +select"
            ) from error
        except LostError as error:
            raise ServerError(f"{wire.name} went away: {error}", mend="run again when the server is back") from error

    return measure


def _selected(wire: Wire, keys: Sequence[tuple[int, bytes]]) -> Iterator[bytes]:
    """Give the names, each when its database is the selected one; in a cluster there is only one, and no SELECT."""
    current = wire.target.db
    for database, key in keys:
        if database != current:
            wire.call("SELECT", database)
            current = database
        yield key


def _ask(wire: Wire, key: bytes) -> int | None:
    size: int | None = wire.call("MEMORY", "USAGE", key, "SAMPLES", ELEMENTS)
    return size


def _choose(file: DumpFile, model: MemoryModel) -> list[Record]:
    """The first keys of each encoding; those that stay longest first, since others may have expired meanwhile."""
    chosen: dict[str, list[Record]] = defaultdict(list)
    for record in islice(Walk(file, model).records(), SCOUTED):
        found = chosen[record[4]]
        if record[3] <= LARGEST and len(found) < 10 * PER_ENCODING:
            found.append(record)
    forever = 1 << 63
    return [
        record
        for encoding in sorted(chosen)
        for record in sorted(chosen[encoding], key=lambda record: -(record[2] or forever))[:PER_ENCODING]
    ]


def _error(file: DumpFile, model: MemoryModel, pairs: Sequence[tuple[Record, int]]) -> float:
    return sum(min(OFF, abs(size_of(record, file, model) / size - 1)) for record, size in pairs)


def _fit(pairs: Sequence[tuple[float, int]]) -> Correction:
    """A constant more or less, or a factor, whichever leaves less. Medians: a few keys have changed since."""
    candidates = (
        UNCHANGED,
        Correction(offset=statistics.median(size - estimate for estimate, size in pairs)),
        Correction(ratio=statistics.median(size / estimate for estimate, size in pairs)),
    )
    return min(candidates, key=lambda fit: sum(abs(size - fit.apply(1, estimate)) / size for estimate, size in pairs))
