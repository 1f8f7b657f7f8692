"""Measures the largest keys again, more closely than the pass could afford."""

from itertools import groupby

from dbvitals.collect.keyspace_harvest import Giant, Harvest
from dbvitals.collect.redis_pace import Pacer
from dbvitals.collect.redis_wire import Answer, RefusedError, Wire
from dbvitals.snapshot_keyspace import KeySize

SAMPLES = 5_000
"""Elements measured of a giant. MEMORY USAGE takes the first ones, so 5 miss what is lopsided. So many take 50 to 400
µs, 3 ms where nothing of it is in the processor's caches; 0, which is all of them, blocks the server for a fifth of a
second at 300,000 fields."""

FIRST = 5
LOPSIDED = 2
"""So few elements tell of half of a collection or less, or of twice as much or more, where it is lopsided."""


def measure_giants(wires: list[Wire], harvest: Harvest, pacer: Pacer) -> None:
    """Correct the sums of their patterns, and add type and encoding. Raises LostError."""
    if "MEMORY USAGE" in harvest.errors:
        return
    by_name = {wire.name: wire for wire in wires}
    ordered = sorted(harvest.giants, key=lambda giant: (giant.node, giant.db, -giant.memory_bytes, giant.key))
    for (node, db), giants in groupby(ordered, key=lambda giant: (giant.node, giant.db)):
        wire = by_name[node]
        if len({giant.db for giant in harvest.giants}) > 1:
            wire.call("SELECT", db)
        for giant in giants:
            if pacer.over:
                return
            _measure(wire, giant, harvest, pacer)


def _measure(wire: Wire, giant: Giant, harvest: Harvest, pacer: Pacer) -> None:
    memory_bytes, took = pacer.timed(lambda: _ask(wire, "MEMORY", "USAGE", giant.key, "SAMPLES", SAMPLES))
    first = _ask(wire, "MEMORY", "USAGE", giant.key, "SAMPLES", FIRST)
    kind, encoding = _ask(wire, "TYPE", giant.key), _ask(wire, "OBJECT", "ENCODING", giant.key)
    for answer in (kind, encoding):
        if isinstance(answer, RefusedError):  # counted neither as a hit nor as a miss
            continue
        there = answer not in (None, b"none")
        harvest.add_own(wire.name, int(there), int(not there))
    pacer.rest(wire, took)
    tally = harvest.tally.known(giant.pattern)
    if not isinstance(memory_bytes, int) or tally is None:
        return
    name, more = harvest.name_of(giant.key), memory_bytes - giant.memory_bytes
    tally.memory_bytes += more
    if giant.stays:
        tally.no_ttl_bytes += more
    if (tenant := harvest.folding.tenant_of(giant.key, giant.pattern)) is not None:
        harvest.add_tenant(tenant, 0, more)
    tally.largest = [key for key in tally.largest if (key.key, key.memory_bytes) != (name, giant.memory_bytes)]
    tally.add_large(
        KeySize(
            key=name,
            memory_bytes=memory_bytes,
            type=kind.decode() if isinstance(kind, bytes) else None,
            encoding=encoding.decode() if isinstance(encoding, bytes) else None,
            samples=SAMPLES,
            lopsided=isinstance(first, int) and max(first, memory_bytes) >= LOPSIDED * min(first, memory_bytes),
        )
    )


def _ask(wire: Wire, *words: str | bytes | int) -> Answer:
    """The answer; the error when this key may not be asked here, or the command not be used."""
    try:
        return wire.call(*words)
    except RefusedError as error:
        return error
