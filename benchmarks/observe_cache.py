"""What it costs to count a cache's reads: CPU time of a GET by redis-py's client, plain and observed, turn about.

First against a server, where between two counts the processor has forgotten the counting; then with the sending itself
left out, where all of the difference is the counting. The CPU is this process's. Turns are paired, and the middle of
their differences is given, since the machine may be busy with other things; `plain again` is how far that is from 0.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from benchmarks.report import show
from dbvitals.observe.cache import CacheCounters, ObservedRedis, by_first_part
from dbvitals.sandbox import start_redis

TARGET_MICROSECONDS = 2
KEY = "session:1"


def run(*, full: bool) -> None:
    """Measure on one server."""
    rounds = 600 if full else 200
    with start_redis() as server:
        rows = asyncio.run(_measure(server.url, rounds))
    show("observe_cache", f"CPU of a GET, microseconds (target: + {TARGET_MICROSECONDS})", rows)


async def _measure(url: str, rounds: int) -> list[dict[str, object]]:
    plain = Redis.from_url(url)
    family_of = by_first_part(("availability", "session", "lock", "tenant", "pms_cache"))
    observed = ObservedRedis(CacheCounters(CollectorRegistry()), family_of, connection_pool=plain.connection_pool)
    again = Redis(connection_pool=plain.connection_pool)
    alone, (more, noise) = await _turn_about([plain, observed, again], rounds, gets=100)
    with patch.object(Redis, "execute_command", _nothing):
        _, (counting, _) = await _turn_about([plain, observed, again], rounds, gets=1_000)
    await plain.aclose()
    return [{"plain": alone, "observed": alone + more, "plain again": alone + noise, "counting alone": counting}]


async def _nothing(client: Redis, *args: Any, **options: Any) -> bytes:
    """Stand for the sending, and give a hit."""
    return b"value"


async def _turn_about(clients: Sequence[Redis], rounds: int, gets: int) -> tuple[float, list[float]]:
    """Microseconds of a GET by the first client, and how many more by each of the others."""
    turns: list[list[float]] = [[] for _ in clients]
    for turn in range(rounds):
        for number in range(len(clients)) if turn % 2 else reversed(range(len(clients))):
            started = time.process_time()
            for _ in range(gets):
                await clients[number].get(KEY)
            turns[number].append(1e6 * (time.process_time() - started) / gets)
    first, *others = turns
    more = [statistics.median(b - a for a, b in zip(first, other, strict=True)) for other in others]
    return statistics.median(first), more
