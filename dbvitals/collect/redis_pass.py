"""A pass over one database of one node in slices that the server runs, each no longer than its time."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from dbvitals.collect.keyspace_harvest import Giant, Harvest
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

TYPE_STRIDE = 8
"""One key in so many is asked for type and encoding: two more hits each."""

Progress = Callable[[int], None]


class ScriptsDeniedError(Exception):
    """The server runs no scripts for us; its message says why."""


class ScriptPass:
    """Runs slices on one node. What the user may not do is found out once and left out from then on."""

    def __init__(self, wire: Wire, harvest: Harvest, pacer: Pacer, *, ask_fields: bool) -> None:
        self._wire = wire
        self._harvest = harvest
        self._pacer = pacer
        self._run = "EVALSHA_RO"
        self._clock = "time"
        self._ask_ttl = self._ask_memory = True
        self._ask_fields = ask_fields
        self._stride = TYPE_STRIDE
        self._constant = _constants(harvest)

    def walk(self, db: int, progress: Progress) -> bool:
        """Go over the selected database from its beginning; False when the time is up first.

        Raises ScriptsDeniedError before anything was added, RefusedError, LostError.
        """
        cursor, most_keys = b"0", FIRST_KEYS
        first = True
        while True:
            cursor, keys, busy = self._slice(cursor, most_keys, db)
            since = time.monotonic()
            if first and keys and not busy:
                self._clock = "none"
            most_keys = self._next_most(most_keys, busy, first=first)
            first = False
            progress(keys)
            if cursor == b"0":
                return True
            if self._pacer.over:
                return False
            self._pacer.rest(self._wire, busy, since)

    def _next_most(self, keys: int, busy: float, *, first: bool) -> int:
        if self._clock != "none":
            return MOST_KEYS
        if first:
            return CLOCKLESS_KEYS
        in_time = busy * 1e6 <= self._pacer.tempo.slice_us
        return min(MOST_KEYS, keys + 5) if in_time else max(1, keys // 2)

    def _slice(self, cursor: bytes, most_keys: int, db: int) -> tuple[bytes, int, float]:
        """One slice: the next cursor, its keys, and the seconds that the server was busy."""
        began = time.monotonic()
        answer = self._evaluate(
            cursor,
            min(SCAN_COUNT, most_keys),
            self._pacer.tempo.slice_us,
            most_keys,
            self._clock,
            int(self._ask_ttl),
            int(self._ask_memory),
            self._stride,
            int(self._ask_fields),
            self._harvest.giant_bytes,
            *self._constant,
        )
        took = time.monotonic() - began
        cursor, keys, elapsed_us, hits, misses, rows, large, tenants, errors = answer
        self._harvest.seen += keys
        self._harvest.server_us += elapsed_us if self._clock != "none" else round(took * 1e6)
        self._harvest.add_own(self._wire.name, hits, misses)
        self._add_rows(rows)
        for pattern, key, memory_bytes, stays in large:
            name = pattern.decode("utf-8", "backslashreplace")
            self._harvest.add_giant(Giant(memory_bytes, self._wire.name, db, key, name, bool(stays)))
            self._harvest.add_name(self._harvest.tally.of(name), key, memory_bytes)
        for tenant, number, memory_bytes in tenants:
            self._harvest.add_tenant(tenant, number, memory_bytes)
        self._heed(errors)
        return cursor, keys, took if self._clock == "none" else elapsed_us / 1e6

    def _evaluate(self, *arguments: str | bytes | int) -> Answer:
        try:
            return self._wire.call(self._run, SHA, 0, *arguments)
        except RefusedError as error:
            if error.text.startswith("NOSCRIPT"):
                return self._load(arguments)
            return self._older(error.text, arguments)

    def _load(self, arguments: tuple[str | bytes | int, ...]) -> Answer:
        """EVAL keeps the script under its digest: SCRIPT LOAD, and the right to it, are not needed."""
        try:
            return self._wire.call(self._run.replace("EVALSHA", "EVAL"), SCRIPT, 0, *arguments)
        except RefusedError as error:
            return self._older(error.text, arguments)

    def _older(self, text: str, arguments: tuple[str | bytes | int, ...]) -> Answer:
        """Before Redis 7 there was only EVAL; some users may do one and not the other."""
        if not is_denial(text):
            raise RefusedError(text)
        if self._run == "EVALSHA_RO":
            self._run = "EVALSHA"
            return self._evaluate(*arguments)
        raise ScriptsDeniedError(text)

    def _add_rows(self, rows: list[Answer]) -> None:
        for row in rows:
            name, count, gone, forbidden, known, no_ttl, ttl_sum, least, most, measured, memory = row[:11]
            types_known, expiring, buckets, types, largest, largest_bytes, no_ttl_bytes = row[11:]
            tally = self._harvest.tally.of(name.decode("utf-8", "backslashreplace"))
            tally.count += count
            tally.gone += gone
            tally.forbidden += forbidden
            tally.ttl_known += known
            tally.no_ttl += no_ttl
            tally.ttl_sum += ttl_sum
            if least >= 0:
                tally.ttl_min = least if tally.ttl_min is None else min(tally.ttl_min, least)
                tally.ttl_max = most if tally.ttl_max is None else max(tally.ttl_max, most)
            tally.buckets.update(dict(zip(buckets[::2], buckets[1::2], strict=True)))
            tally.memory_known += measured
            tally.memory_bytes += memory
            tally.no_ttl_bytes += no_ttl_bytes
            tally.types_known += types_known
            tally.expiring_fields += expiring
            for name_of_type, number in zip(types[::2], types[1::2], strict=True):
                kind = name_of_type.decode()
                tally.types[kind.partition("/")[0]] += number
                tally.encodings[kind] += number
            if largest_bytes >= 0:
                self._harvest.add_name(tally, largest, largest_bytes)

    def _heed(self, answer: list[bytes]) -> None:
        """Leave out from now on what is denied; an error of a single key is none of the command."""
        words = [word.decode("utf-8", "replace") for word in answer]
        errors = dict(zip(words[::2], words[1::2], strict=True))
        denied = {command: text for command, text in errors.items() if is_denial(text)}
        self._ask_ttl = self._ask_ttl and "PTTL" not in denied
        self._ask_memory = self._ask_memory and "MEMORY USAGE" not in denied
        self._ask_fields = self._ask_fields and not {"HRANDFIELD", "HPTTL"} & denied.keys()
        if "TYPE" in denied:
            self._stride = 0
        self._harvest.note_errors(denied)


def _constants(harvest: Harvest) -> list[str | bytes | int]:
    """What stays the same in every slice: separators and families."""
    folding = harvest.folding
    separators = "".join(f"%{separator}" for separator in folding.separators)
    words: list[str | bytes | int] = [separators, len(folding.families)]
    for family in folding.families:
        words += [family.prefix, family.pattern, _tenant_pattern(family.tenant_part, separators)]
    return words


def _tenant_pattern(part: int | None, separators: str) -> str:
    """The Lua pattern that takes a tenant out of a name, from where the family's own name begins."""
    if part is None:
        return ""
    return "^" + f"[^{separators}]*[{separators}]" * part + f"{{?([^{separators}{{}}]+)"
