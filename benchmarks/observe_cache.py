"""What it costs to count a cache's reads: CPU time of a GET by redis-py's client, plain and observed, turn about.

First against a server; then with the sending itself left out, where all of the difference is the counting. The CPU is
this process's; the quietest of the rounds, since the machine may be busy with other things.
"""

import asyncio
import time
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
    rounds = 60 if full else 20
    with start_redis() as server:
        rows = asyncio.run(_measure(server.url, rounds))
    show("observe_cache", f"CPU of a GET, microseconds (target: + {TARGET_MICROSECONDS})", rows)


async def _measure(url: str, rounds: int) -> list[dict[str, object]]:
    plain = Redis.from_url(url)
    family_of = by_first_part(("availability", "session", "lock", "tenant", "pms_cache"))
    observed = ObservedRedis(CacheCounters(CollectorRegistry()), family_of, connection_pool=plain.connection_pool)
    row = await _turn_about(plain, observed, rounds, gets=500)
    with patch.object(Redis, "execute_command", _nothing):
        without = await _turn_about(plain, observed, rounds, gets=5_000)
    await plain.aclose()
    return [{"plain": row[0], "observed": row[1], "counting alone": without[1] - without[0]}]


async def _nothing(client: Redis, *args: Any, **options: Any) -> bytes:
    """Stand for the sending, and give a hit."""
    return b"value"


async def _turn_about(plain: Redis, observed: Redis, rounds: int, gets: int) -> tuple[float, float]:
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for number, client in enumerate((plain, observed)):
            started = time.process_time()
            for _ in range(gets):
                await client.get(KEY)
            best[number] = min(best[number], 1e6 * (time.process_time() - started) / gets)
    return best[0], best[1]
