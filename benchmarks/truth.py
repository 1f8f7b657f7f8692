"""What `dbvitals cache` says of a keyspace beside what was written into it: keys, keys without TTL, TTLs, bytes.

First while nothing changes: every figure is exact, but that a TTL runs on while the pass does, and bytes are compared
with the sum of MEMORY USAGE of every key, all elements measured. Then while keys expire, are written and deleted: a
count lies between what was there all the time and what was there at any time.
The server is the sandbox's; DBVITALS_REDIS_BIN names another.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from benchmarks._keyspace import DAY
from benchmarks.keyspace_loader import Truth, connected, load, measured_bytes
from benchmarks.rdb import FOLDING
from benchmarks.report import show
from dbvitals.collect.redis import KeyspaceRequest, collect_keyspace
from dbvitals.sandbox import RedisServer, start_redis
from dbvitals.settings import Timeouts
from dbvitals.settings_redis import RedisTarget
from dbvitals.snapshot_keyspace import KeyspaceSnapshot, PatternStats

KEYS = {False: 100_000, True: 1_000_000}
SEED = 3
HOSTILE = "hostile"
"""The loader's name for keys of many patterns."""

ADDED, DELETED, PAUSE = 20, 10, 0.005
"""Keys that come and go at a time, and seconds between."""


@dataclass(slots=True)
class Changes:
    """Keys `order:<n>` that a client writes and deletes, each time counted before it is done."""

    written: int = 0
    deleted: int = 0
    stop: threading.Event = field(default_factory=threading.Event)


def run(*, full: bool) -> None:
    """Compare on one server, quiet and busy."""
    with start_redis() as server:
        quiet = compare_quiet(server, KEYS[full])
        busy = compare_busy(server, KEYS[full])
        name = f"{server.binary.product} {server.binary.version}"
    show("truth", f"{KEYS[full]:,} keys on {name}: what was written, and what is said of it", quiet)
    show("truth_busy", f"the same while keys expire, come and go on {name}", busy)


def compare_quiet(server: RedisServer, keys: int) -> list[dict[str, Any]]:
    """A row for each pattern. Nothing expires meanwhile. Raises AssertionError where what must be exact is not."""
    truth = load(server.url, keys=keys, seed=SEED, now_ms=_now_ms() + DAY)
    measured = measured_bytes(server.url, FOLDING.pattern_of)
    began = _now_ms()
    seen = _look(server)
    took = _now_ms() - began
    rows = [
        _row(known, seen[pattern], measured[pattern], began, took)
        for pattern, known in sorted(truth.items())
        if pattern != HOSTILE
    ]
    assert sum(stats.count for stats in seen.values()) == sum(known.keys for known in truth.values())
    return rows


def _row(known: Truth, stats: PatternStats, measured: int, began: int, took: int) -> dict[str, Any]:
    assert (stats.count, stats.no_ttl) == (known.keys, known.no_ttl), known.pattern
    row: dict[str, Any] = {"pattern": known.pattern, "keys": known.keys, "counted": stats.count}
    row |= {"no TTL": known.no_ttl, "counted so": stats.no_ttl, "TTL min off s": "", "TTL max off s": ""}
    expected = known.ttl_range(began)
    if expected is not None:
        for name, exact, told in zip(
            ("TTL min off s", "TTL max off s"), expected, (stats.ttl_min_ms, stats.ttl_max_ms), strict=True
        ):
            assert told is not None
            row[name] = _outside(told, exact - took, exact) / 1000
            assert row[name] < 1, (known.pattern, name)
    row["bytes"] = measured
    row["bytes off %"] = 100 * (stats.memory_bytes / measured - 1)
    return row


def _outside(value: int, least: int, most: int) -> int:
    """How far a value is from a span; it was read at some moment of the pass."""
    return max(least - value, value - most, 0)


def compare_busy(server: RedisServer, keys: int) -> list[dict[str, Any]]:
    """A row for each pattern, whose keys expire when they do. Raises AssertionError for a count that cannot be."""
    with Redis.from_url(server.url) as client:
        client.flushall()
    truth = load(server.url, keys=keys, seed=SEED, now_ms=_now_ms())
    with _changing(server) as changes:
        time.sleep(0.5)
        before, began = (changes.written, changes.deleted), _now_ms()
        seen = _look(server)
        ended, after = _now_ms(), (changes.written, changes.deleted)
    rows = []
    for pattern, known in sorted(truth.items()):
        if pattern != HOSTILE:
            rows.append(_between(pattern, known.alive(ended), seen.get(pattern), known.alive(began)))
    rows.append(_between("order:<n>", max(0, before[0] - after[1]), seen["order:<n>"], after[0] - before[1]))
    return rows


def _between(pattern: str, least: int, stats: PatternStats | None, most: int) -> dict[str, Any]:
    count = stats.count if stats else 0
    assert least <= count <= most, (pattern, least, count, most)
    return {"pattern": pattern, "all the time": least, "counted": count, "at any time": most}


@contextmanager
def _changing(server: RedisServer) -> Iterator[Changes]:
    changes = Changes()
    with connected(server.url) as connection:

        def work() -> None:
            while not changes.stop.is_set():
                new = range(changes.written, changes.written + ADDED)
                changes.written += ADDED
                connection.send([("SET", f"order:{number}", "x" * 50) for number in new])
                old = range(changes.deleted, changes.deleted + DELETED)
                changes.deleted += DELETED
                connection.send([("DEL", *(f"order:{number}".encode() for number in old))])
                time.sleep(PAUSE)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            yield changes
        finally:
            changes.stop.set()
            worker.join()


def _look(server: RedisServer) -> dict[str, PatternStats]:
    target = RedisTarget(host=server.host, port=server.port, password=server.password)
    seen: KeyspaceSnapshot = collect_keyspace(target, FOLDING, KeyspaceRequest(), Timeouts(), lambda _: None)
    assert seen.coverage.ended == "complete"
    return {stats.pattern: stats for stats in seen.patterns}


def _now_ms() -> int:
    return round(time.time() * 1000)
